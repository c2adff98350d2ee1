"""`aiida-rewire setup`: this machine, a cluster, a group's database; a module for each few commands."""
