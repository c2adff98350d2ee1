"""Commands that look at results: what is selected, and where the answer goes."""
