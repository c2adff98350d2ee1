"""Exit codes of processes, and the way out of each.

The process classes know their codes, but importing them takes longer than all queries together; a test holds this
table against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ExitCode(NamedTuple):
    """An exit code: its label, and what a person can do about it."""

    label: str
    way_out: str


Codes = Mapping[int, ExitCode]

RETRY = "`campaign retry` tries again"
OTHER = "in the file of a campaign of another label"
AMEND = "in the file, `campaign submit --amend`, then `campaign retry`"
REPORT = "read `verdi process report` of it"
DEFECT = f"a defect of the workflow, not of the physics: {REPORT}, and tell the developers"
SCRATCH = "see that the scratch is neither full nor over quota (`df`, `quota`), and that nobody cleans it; then retry"
STARTED = "see whether the code starts at all on that machine (`verdi code test`, modules in its prepend text); then"
SMALLER_STEP = f"a shorter md.timestep_fs, a lower voltage or temperature, {OTHER}"
LAYERS = f"more flat layers (overrides.junction.lower_layers, upper_layers) {OTHER}"
PARENTS = (
    "the files of its SCF are gone or damaged: the next attempt computes the lead again, `campaign retry` grants one"
)
BASIS = "a larger ewind, a smaller epsproj in overrides.pwcond.parameters"
NUMERICS = f"other numerics are tried by themselves; if those failed too: {BASIS} {OTHER}"
GEOMETRY = "lead and junction are not those that this project builds, or changed in between: tell the developers"
RELAXATION = "only runs that move atoms end like that: leave `calculation` out of the overrides"
OF_DIAGONALISATION = f"another `diagonalization` or more bands (overrides.scf.parameters) {OTHER}; {RETRY} once"

PROCESS: Codes = {
    1: ExitCode("ERROR_UNSPECIFIED", f"{REPORT}; {RETRY}"),
    2: ExitCode("ERROR_LEGACY_FAILURE", f"of a release of AiiDA long gone: {REPORT}"),
    10: ExitCode("ERROR_INVALID_OUTPUT", DEFECT),
    11: ExitCode("ERROR_MISSING_OUTPUT", f"it ended too early: {REPORT}; {RETRY}"),
}
"""Of every process."""

JOB: Codes = {
    **PROCESS,
    100: ExitCode("ERROR_NO_RETRIEVED_FOLDER", f"its files could not be fetched: {SCRATCH}"),
    110: ExitCode("ERROR_SCHEDULER_OUT_OF_MEMORY", f"raise resources.STEP.memory_gb, or take more machines, {AMEND}"),
    120: ExitCode("ERROR_SCHEDULER_OUT_OF_WALLTIME", f"raise resources.STEP.walltime_h {AMEND}"),
    131: ExitCode("ERROR_SCHEDULER_INVALID_ACCOUNT", f"correct resources.STEP.account {AMEND}"),
    140: ExitCode("ERROR_SCHEDULER_NODE_FAILURE", f"the machine failed, not the job: {RETRY}"),
    150: ExitCode("STOPPED_BY_MONITOR", "a monitor of yours stopped it: its message says why"),
    160: ExitCode("ERROR_STASHING_FAILED", f"see space and rights where files are stashed; {RETRY}"),
}
"""Of every job: what the scheduler, or the way to it, did."""

PARENT_FILES = 319
"""Exit status of a run of pwcond.x for which files of an SCF are gone."""

LAYOUT: Codes = {
    310: ExitCode("ERROR_PWCOND", f"its message says what; {SCRATCH}"),
    311: ExitCode("ERROR_FIRST_LAYER", GEOMETRY),
    312: ExitCode("ERROR_SLABS", f"take the FFT grid along z that fits the slabs: {GEOMETRY}"),
    313: ExitCode("ERROR_ATOMIC_SPHERES", LAYERS),
    314: ExitCode("ERROR_CUTOFFS", f"the same ecutwfc and ecutrho in lead and scf of the overrides, {OTHER}"),
    315: ExitCode("ERROR_SPIN_ORBIT", f"the same lspinorb in lead and scf of the overrides, {OTHER}"),
    316: ExitCode("ERROR_POOLS", "leave `-nk` out of the code's and the overrides' command line"),
    317: ExitCode("ERROR_RANKS", f"resources.pwcond.ranks of 1, 2, 4, 8 ... {AMEND}"),
    318: ExitCode("ERROR_SHARD_BOUNDS", DEFECT),
    PARENT_FILES: ExitCode("ERROR_PARENT_FILES", PARENTS),
    320: ExitCode(
        "ERROR_INPUT_FILE", f"keys of overrides.pwcond.parameters that this pwcond.x does not know, {OTHER}"
    ),
    330: ExitCode("ERROR_UNITARITY", LAYERS),
    331: ExitCode("ERROR_TOO_MUCH_TRANSMISSION", f"{BASIS}; or {LAYERS}"),
    332: ExitCode("ERROR_NOT_FINITE", f"{RETRY}; if it comes again: {LAYERS}"),
    333: ExitCode("ERROR_INCONSISTENT", f"its output contradicts itself: see whether it is cut off; {RETRY}"),
    334: ExitCode("ERROR_MISSING", f"its output lacks points: {SCRATCH}"),
    400: ExitCode("ERROR_INCOMPLETE", f"killed or out of time: raise resources.pwcond.walltime_h {AMEND}"),
    410: ExitCode("ERROR_COMPLEX_BANDS", NUMERICS),
    411: ExitCode("ERROR_LATERAL_BASIS", NUMERICS),
    412: ExitCode("ERROR_GRAM_SCHMIDT", NUMERICS),
    413: ExitCode("ERROR_LINEAR_EQUATIONS", NUMERICS),
}
"""Of whatever runs pwcond.x."""

PWCOND: Codes = {**LAYOUT, 303: ExitCode("ERROR_OUTPUT_MISSING", f"{STARTED} {RETRY}")}

JUNCTION: Codes = {
    **JOB,
    **PWCOND,
    220: ExitCode("ERROR_GUARD", f"its message says in what lead and junction differ: {GEOMETRY}"),
    335: ExitCode("ERROR_SCRAMBLED_DENSITY", f"cells to fifteen digits are what it takes: {GEOMETRY}"),
    336: ExitCode(
        "ERROR_POTENTIAL_MISMATCH", f"{LAYERS}; or more k-points in overrides.scf or overrides.lead, {OTHER}"
    ),
    420: ExitCode("ERROR_SCF_INCOMPLETE", f"separate jobs are tried by themselves; {SCRATCH}"),
    421: ExitCode(
        "ERROR_SCF_NOT_CONVERGED", f"separate jobs are tried by themselves; a smaller mixing_beta, {OTHER}"
    ),
    422: ExitCode("ERROR_READBACK", f"separate jobs are tried by themselves; {SCRATCH}"),
}

READBACK: Codes = {
    **JOB,
    303: ExitCode("ERROR_OUTPUT_MISSING", f"{STARTED} {RETRY}"),
    310: ExitCode("ERROR_PP", f"its message says what; {SCRATCH}"),
    311: ExitCode("ERROR_UNREADABLE", f"a file is cut off: {SCRATCH}"),
    330: ExitCode("ERROR_SCRAMBLED_DENSITY", f"cells to fifteen digits are what it takes: {GEOMETRY}"),
}

MD: Codes = {
    303: ExitCode("ERROR_LOG_MISSING", f"its last words say why; {STARTED} {RETRY}"),
    310: ExitCode("ERROR_LAMMPS", f"its message says what; if that is a file or the machine: {SCRATCH}"),
    311: ExitCode("ERROR_LOST_ATOMS", SMALLER_STEP),
    312: ExitCode("ERROR_TEMPERATURE", SMALLER_STEP),
    313: ExitCode("ERROR_CHARGES_NOT_CONVERGED", SMALLER_STEP),
    320: ExitCode("ERROR_BROKEN_DUMP", SCRATCH),
    321: ExitCode("ERROR_DUMP_MISSING", SCRATCH),
    322: ExitCode("ERROR_BROKEN_BIAS_SERIES", SCRATCH),
    400: ExitCode("ERROR_UNFINISHED", "nothing: the next job goes on from its checkpoint"),
    401: ExitCode(
        "ERROR_NO_CHECKPOINT",
        f"raise resources.md.walltime_h {AMEND}; or a smaller production.checkpoint_interval {OTHER}",
    ),
}

PW: Codes = {
    **JOB,
    301: ExitCode("ERROR_NO_RETRIEVED_TEMPORARY_FOLDER", RETRY),
    302: ExitCode("ERROR_OUTPUT_STDOUT_MISSING", f"{STARTED} {RETRY}"),
    303: ExitCode("ERROR_OUTPUT_XML_MISSING", SCRATCH),
    304: ExitCode("ERROR_OUTPUT_XML_MULTIPLE", DEFECT),
    305: ExitCode("ERROR_OUTPUT_FILES", SCRATCH),
    310: ExitCode("ERROR_OUTPUT_STDOUT_READ", SCRATCH),
    311: ExitCode("ERROR_OUTPUT_STDOUT_PARSE", f"this release of pw.x may be too new or too old; {REPORT}"),
    312: ExitCode("ERROR_OUTPUT_STDOUT_INCOMPLETE", f"killed or crashed: its last lines say why; {SCRATCH}"),
    320: ExitCode("ERROR_OUTPUT_XML_READ", SCRATCH),
    321: ExitCode("ERROR_OUTPUT_XML_PARSE", SCRATCH),
    322: ExitCode(
        "ERROR_OUTPUT_XML_FORMAT", "this release of pw.x writes files that aiida-quantumespresso does not read"
    ),
    340: ExitCode("ERROR_OUT_OF_WALLTIME_INTERRUPTED", f"raise resources.scf.walltime_h {AMEND}"),
    350: ExitCode("ERROR_UNEXPECTED_PARSER_EXCEPTION", DEFECT),
    360: ExitCode("ERROR_G_PAR", f"another ecutwfc or FFT grid, {OTHER}"),
    400: ExitCode("ERROR_OUT_OF_WALLTIME", f"it is restarted by itself; raise resources.scf.walltime_h {AMEND}"),
    410: ExitCode(
        "ERROR_ELECTRONIC_CONVERGENCE_NOT_REACHED",
        f"a smaller mixing_beta or more electron_maxstep (overrides.scf.parameters.ELECTRONS), {OTHER}",
    ),
    461: ExitCode(
        "ERROR_DEXX_IS_NEGATIVE", f"a hybrid functional, which the chain does not use: another one, {OTHER}"
    ),
    462: ExitCode("ERROR_COMPUTING_CHOLESKY", OF_DIAGONALISATION),
    463: ExitCode("ERROR_DIAGONALIZATION_TOO_MANY_BANDS_NOT_CONVERGED", OF_DIAGONALISATION),
    464: ExitCode("ERROR_S_MATRIX_NOT_POSITIVE_DEFINITE", OF_DIAGONALISATION),
    465: ExitCode("ERROR_ZHEGVD_FAILED", OF_DIAGONALISATION),
    466: ExitCode("ERROR_QR_FAILED", OF_DIAGONALISATION),
    467: ExitCode("ERROR_EIGENVECTOR_CONVERGENCE", OF_DIAGONALISATION),
    468: ExitCode("ERROR_BROYDEN_FACTORIZATION", f"a smaller mixing_beta, {OTHER}; {RETRY} once"),
    481: ExitCode("ERROR_NPOOLS_TOO_HIGH", "fewer pools than k-points: leave `-nk` out of the command line"),
    500: ExitCode("ERROR_IONIC_CONVERGENCE_NOT_REACHED", RELAXATION),
    501: ExitCode("ERROR_IONIC_CONVERGENCE_REACHED_EXCEPT_IN_FINAL_SCF", RELAXATION),
    502: ExitCode("ERROR_IONIC_CYCLE_EXCEEDED_NSTEP", RELAXATION),
    503: ExitCode("ERROR_IONIC_INTERRUPTED_PARTIAL_TRAJECTORY", RELAXATION),
    510: ExitCode("ERROR_IONIC_CYCLE_ELECTRONIC_CONVERGENCE_NOT_REACHED", RELAXATION),
    511: ExitCode("ERROR_IONIC_CONVERGENCE_REACHED_FINAL_SCF_FAILED", RELAXATION),
    520: ExitCode("ERROR_IONIC_CYCLE_BFGS_HISTORY_FAILURE", RELAXATION),
    521: ExitCode("ERROR_IONIC_CYCLE_BFGS_HISTORY_AND_FINAL_SCF_FAILURE", RELAXATION),
    531: ExitCode("ERROR_CHARGE_IS_WRONG", f"smearing, or more bands (nbnd), {OTHER}"),
    541: ExitCode("ERROR_SYMMETRY_NON_ORTHOGONAL_OPERATION", RELAXATION),
    542: ExitCode("ERROR_RADIAL_FFT_SIGNIFICANT_VOLUME_CONTRACTION", RELAXATION),
    710: ExitCode("WARNING_ELECTRONIC_CONVERGENCE_NOT_REACHED", f"leave scf_must_converge as it is, {OTHER}"),
}

INPUTS = f"inputs that the chain always gives are missing: {DEFECT}"

PW_BASE: Codes = {
    **PROCESS,
    201: ExitCode("ERROR_INVALID_INPUT_PSEUDO_POTENTIALS", INPUTS),
    202: ExitCode("ERROR_INVALID_INPUT_KPOINTS", INPUTS),
    203: ExitCode("ERROR_INVALID_INPUT_RESOURCES", INPUTS),
    204: ExitCode("ERROR_INVALID_INPUT_RESOURCES_UNDERSPECIFIED", INPUTS),
    210: ExitCode("ERROR_INVALID_INPUT_AUTOMATIC_PARALLELIZATION_MISSING_KEY", INPUTS),
    211: ExitCode("ERROR_INVALID_INPUT_AUTOMATIC_PARALLELIZATION_UNRECOGNIZED_KEY", INPUTS),
    300: ExitCode("ERROR_UNRECOVERABLE_FAILURE", f"the job below it says what; {RETRY}"),
    301: ExitCode("ERROR_SUB_PROCESS_EXCEPTED", f"the job below it says what; {RETRY}"),
    302: ExitCode("ERROR_SUB_PROCESS_KILLED", f"somebody killed the job below it: {RETRY}"),
    310: ExitCode("ERROR_KNOWN_UNRECOVERABLE_FAILURE", "the job below it says what"),
    320: ExitCode("ERROR_INITIALIZATION_CALCULATION_FAILED", f"the job below it says what; {RETRY}"),
    401: ExitCode("ERROR_MAXIMUM_ITERATIONS_EXCEEDED", f"the last job below it says what; {RETRY}"),
    402: ExitCode("ERROR_UNHANDLED_FAILURE", f"the job below it says what; {RETRY}"),
    501: PW[501],
    710: PW[710],
}

PWCOND_BASE: Codes = {
    **PROCESS,
    **PWCOND,
    220: JUNCTION[220],
    340: ExitCode("ERROR_MERGE", DEFECT),
    341: ExitCode("ERROR_ROUNDS", f"raise resources.pwcond.walltime_h {AMEND}: each job comes too short a way"),
    342: ExitCode("ERROR_JOB_ENDED", f"somebody killed a job: {RETRY}"),
}

TRANSMISSION: Codes = {
    **PROCESS,
    310: ExitCode("ERROR_SCF", "the job below it says what, and its exit code the way out"),
    320: ExitCode("ERROR_PWCOND", "the job below it says what, and its exit code the way out"),
    330: ExitCode("ERROR_READBACK", "the job below it says what, and its exit code the way out"),
    331: ExitCode("ERROR_POTENTIAL_MISMATCH", JUNCTION[336].way_out),
}

ASSEMBLY: Codes = {
    210: ExitCode(
        "ERROR_ATOMS_OVERLAP", "atoms of the dynamics lie within flat layers: a wider tips.gap, another campaign"
    ),
    211: ExitCode(
        "ERROR_CELL_TOO_NARROW", f"overrides.junction.largest_supercell above the present one, {OTHER}; it costs"
    ),
}

DYNAMICS: Codes = {
    **PROCESS,
    310: ExitCode("ERROR_EQUILIBRATION", "the job below it says what, and its exit code the way out"),
    311: ExitCode("ERROR_PRODUCTION", "the job below it says what, and its exit code the way out"),
    312: ExitCode("ERROR_SNAPSHOTS", f"the frames cannot be used: {SCRATCH}"),
}

TABLE: Mapping[str, Codes] = {
    "rewire.junction": JUNCTION,
    "rewire.ld1": {
        **JOB,
        310: ExitCode("ERROR_NO_PSEUDOPOTENTIAL", f"{STARTED} look at its output with `verdi calcjob outputcat`"),
        311: ExitCode(
            "ERROR_INVALID_PSEUDOPOTENTIAL", "another release of ld1.x writes another format: tell the developers"
        ),
    },
    "rewire.md": {**JOB, **MD},
    "rewire.pw": PW,
    "rewire.pwcond": {**JOB, **PWCOND},
    "rewire.readback": READBACK,
    "rewire.chain": {
        **DYNAMICS,
        313: ExitCode("ERROR_LEAD", f"the job below it says what, and its exit code the way out; {RETRY}"),
        500: ExitCode("ERROR_SNAPSHOTS_MISSING", "the rows of its snapshots say why, each with its way out"),
    },
    "rewire.dynamics": DYNAMICS,
    "rewire.lane": PROCESS,
    "rewire.md.base": {**PROCESS, **MD},
    "rewire.pw.base": PW_BASE,
    "rewire.pwcond.base": PWCOND_BASE,
    "rewire.snapshot": {**TRANSMISSION, **ASSEMBLY},
    "rewire.transmission": TRANSMISSION,
    "assemble_junction": ASSEMBLY,
    "assemble_junctions": ASSEMBLY,
    "extract_snapshots": {320: MD[320]},
    "merge_shards": {340: PWCOND_BASE[340]},
    "rewire.conductance_histogram": {
        220: ExitCode(
            "ERROR_NOT_COUNTED", "its message names the input: give bins that fit, and hold at least one conductance"
        )
    },
    "rewire.current_of_conductance": {
        230: ExitCode("ERROR_NO_CURRENT", "give lower voltages or temperatures, or compute T(E) in a wider range")
    },
    "rewire.noise_of_trace": {
        240: ExitCode(
            "ERROR_NO_NOISE", "its message names the parameter; measured points need times, in increasing order"
        )
    },
    "rewire.fit_series_resistance": {
        210: ExitCode(
            "ERROR_NO_FIT", "give more cycles, or say which multiples of G0 the peaks are, or give the resistance"
        )
    },
    "rewire.subtract_series_resistance": {
        200: ExitCode(
            "ERROR_TOO_LARGE", "give a smaller resistance: this one leaves no positive conductance at some points"
        )
    },
}
"""By the name of the plugin, or of the function."""

EXCEPTED = f"an error of the program or of AiiDA's engine: the last lines say which; {RETRY}"
KILLED = f"somebody killed it; {RETRY}"
STRANGE = f"no exit code that this release knows: {REPORT}"


BY_LINES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), way_out)
    for pattern, way_out in (
        (r"DUE TO TIME LIMIT|PBS: job killed: walltime", JOB[120].way_out),
        (r"oom[-_ ]kill|out of memory|exceeded.*memory limit", JOB[110].way_out),
        (r"no space left on device|disk quota exceeded", SCRATCH),
        (r"NODE FAIL|slurmstepd.*node failure", JOB[140].way_out),
        (r"command not found|error while loading shared libraries|cannot open shared object", f"{STARTED} {RETRY}"),
        (r"unable to locate a modulefile|ModuleNotFoundError", f"{STARTED} {RETRY}"),
    )
)
"""What lines of outputs tell that no exit code does: where one of these stands, it decides."""

OF_SCHEDULER = re.compile(r"scheduler parser returned exit code<(\d+)>")
"""AiiDA's report of a job whose scheduler says why it ended, whatever the parser made of what was left."""


def exit_code_of(plugin: str, status: int) -> ExitCode:
    """Return label and way out of an exit code; of one that is not known the label is empty."""
    return TABLE.get(plugin, JOB).get(status, ExitCode("", STRANGE))


def way_out_of(plugin: str, state: str, status: int | None, lines: Iterable[str] = ()) -> str:
    """Return what a person can do about a process that ended like that.

    Parameters
    ----------
    plugin, state
        Name of the plugin; failed, killed or excepted.
    status
        Exit status of a failed one.
    lines
        That decide why, in its outputs.
    """
    text = "\n".join(lines)
    said = OF_SCHEDULER.search(text)
    if said and int(said[1]) in JOB:
        return JOB[int(said[1])].way_out
    for pattern, way_out in BY_LINES:
        if pattern.search(text):
            return way_out
    if state == "killed":
        return KILLED
    if state == "excepted" or status is None:
        return EXCEPTED
    return exit_code_of(plugin, status).way_out
