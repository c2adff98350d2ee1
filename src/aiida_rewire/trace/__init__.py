"""Conductance against time: the table and the figure."""
