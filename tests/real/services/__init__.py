"""PostgreSQL, RabbitMQ and Slurm on loopback, each in a folder and on ports of its own, and an AiiDA profile on them.

Nothing that runs already is touched, no file is written outside the folder, and nothing is left running: each
program is started in the foreground, and stopped by the kernel if what started it dies.
"""
