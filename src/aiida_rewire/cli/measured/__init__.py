"""`aiida-rewire measured`: measured points in the database, and their pictures."""
