"""The exit code of each fatal error of pwcond.x that was provoked; see fixtures/pwcond/fatal."""

FATAL = {
    "first-layer": "ERROR_FIRST_LAYER",
    "nrztot": "ERROR_SLABS",
    "atomic-spheres": "ERROR_ATOMIC_SPHERES",
    "cutoffs": "ERROR_CUTOFFS",
    "cutoffs-right": "ERROR_CUTOFFS",
    "pools": "ERROR_POOLS",
    "ranks": "ERROR_RANKS",
    "start-e": "ERROR_SHARD_BOUNDS",
    "start-k": "ERROR_SHARD_BOUNDS",
    "no-charge-density": "ERROR_PARENT_FILES",
    "no-save": "ERROR_PARENT_FILES",
    "no-wavefunctions": "ERROR_PARENT_FILES",
    "lorb": "ERROR_INPUT_FILE",
    "recover": "ERROR_INPUT_FILE",
    "too-few-energies": "ERROR_INPUT_FILE",
    "too-few-kpoints": "ERROR_INPUT_FILE",
    "unknown-key": "ERROR_INPUT_FILE",
    "hermitian-eigenproblem": "ERROR_LATERAL_BASIS",
}
