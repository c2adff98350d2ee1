"""CalcJobs of the codes that the chain runs."""
