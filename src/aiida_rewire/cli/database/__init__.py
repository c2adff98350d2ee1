"""`aiida-rewire database`, a module for each few commands."""
