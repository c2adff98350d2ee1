"""The command line `aiida-rewire`."""
