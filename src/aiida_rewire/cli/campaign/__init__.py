"""`aiida-rewire campaign`, a module for each few commands."""
