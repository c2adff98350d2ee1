"""PostgreSQL, RabbitMQ, Slurm and SSH on loopback, each in a folder and on ports of its own, and AiiDA on them.

Nothing that runs already is touched, no file is written outside the folder (sshd wants the empty folder /run/sshd
where root starts it), and nothing is left running: each program is started in the foreground, and stopped by the
kernel if what started it dies.
"""
