"""The database of a profile: locks among those who share it."""
