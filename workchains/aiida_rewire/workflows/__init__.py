"""WorkChains of the chain, from tips to trace."""
