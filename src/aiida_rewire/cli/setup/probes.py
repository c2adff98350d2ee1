"""What the job is told that tests a code, and what its answer says: version, ranks, BLAS and MPI."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiida_rewire.cli.checks import Check, blas_check, driver_check, lammps_check, qe_check
from aiida_rewire.cli.executables import (
    Answer,
    LinkedLibrary,
    Mpi,
    QeInfo,
    blas_of,
    lammps_said,
    mpi_of,
    qe_banners,
)
from aiida_rewire.md.driven import driver_files

INPUT, OUTPUT, LIBRARIES = "probe.in", "probe.out", "libraries.txt"
"""Names of the job's files."""

QE_PROGRAMS = {"pw": "PWSCF", "pp": "POST-PROC", "pwcond": "PWCOND", "ld1": "LD1"}
"""By what a code is for, what a program of Quantum ESPRESSO calls itself."""

PYTHON_PROBE = """\
import pathlib, sys, tempfile
folder = tempfile.TemporaryDirectory(prefix="rewire-")
for name, text in FILES.items():
    path = pathlib.Path(folder.name, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
sys.path.insert(0, folder.name)
try:
    from aiida_rewire.bias.driver import import_lammps
    lammps = import_lammps().lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    ranks = lammps.extract_setting("world_size")
    print("release", lammps.version(), "REAXFF", lammps.has_package("REAXFF"), "ranks", ranks, flush=True)
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = {line.split(None, 5)[5].strip() for line in maps if ".so" in line and len(line.split(None, 5)) == 6}
    for path in sorted(paths):
        print("library", path, flush=True)
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""
"""The driver of the dynamics is imported as it is in a job, and LAMMPS started once, without atoms."""

PATH_FIX = "correct its path, or load its module in prepend"
MPIRUN_FIX = "give the mpirun of that MPI in computer.mpirun, or another build of the program"
BLAS_FIX = "take a build with OpenBLAS or MKL; on Debian: sudo apt install libopenblas0-pthread"


@dataclass(frozen=True)
class Probe:
    """What a test job runs.

    Attributes
    ----------
    arguments
        Of the program.
    text
        Of the file `INPUT`.
    """

    arguments: tuple[str, ...]
    text: str = "\n"


@dataclass(frozen=True)
class Told:
    """What came of a test job.

    Attributes
    ----------
    output, errors
        What the program printed, and what the job script did.
    libraries
        Of the program: a line for each, ``NAME => PATH => FILE BEHIND ALL LINKS``.
    """

    output: str
    errors: str = ""
    libraries: str = ""


def probe_of(program: str) -> Probe:
    """Return what the test job of a code runs.

    Parameters
    ----------
    program
        What the code is for: md, lmp, pw, pp, pwcond or ld1.
    """
    if program == "md":
        return Probe((INPUT,), f"FILES = {json.dumps(driver_files())}\n{PYTHON_PROBE}")
    return Probe(("-h",)) if program == "lmp" else Probe(("-in", INPUT))


def libraries_script(path: str) -> str:
    """Return lines of shell that write down the shared libraries of a program, as its job finds them.

    Parameters
    ----------
    path
        Absolute, or a name that is on PATH there.
    """
    return (
        f'ldd "$(command -v {shlex.quote(path)})" 2>/dev/null'
        " | sed -n 's/^[[:space:]]*\\([^ ]*\\) => \\(\\/.*\\) (0x[0-9a-f]*)$/\\1 \\2/p'"
        ' | while read -r name file; do echo "$name => $file => $(readlink -f "$file")"; done'
        f" > {LIBRARIES}"
    )


def judged(program: str, label: str, path: str, told: Told, ranks: int) -> list[Check]:
    """Return what the test job of a code says of it.

    Parameters
    ----------
    program
        What the code is for.
    label
        Of the code, for messages.
    path
        Of the program.
    told
        What came of the job.
    ranks
        MPI ranks that it ran on.
    """
    answer = Answer(f"{told.output}\n{without_noise(told.errors)}")
    libraries = linked(told.libraries)
    if program == "md":
        checks = [driver_check(label, Path(path), answer, PATH_FIX)]
        libraries = loaded(told.output)
    elif program == "lmp":
        checks = [lammps_check(label, lammps_said(Path(path), answer), PATH_FIX)]
    else:
        checks = [_qe(program, label, path, answer)]
    if checks[0].status == "failure":
        return checks
    if program in ("pw", "pwcond"):
        checks.append(blas_check(f"BLAS of {label}", label, blas_of(libraries), BLAS_FIX))
    return [*checks, *_mpi(program, label, told.output, mpi_of(libraries), ranks)]


def _qe(program: str, label: str, path: str, answer: Answer) -> Check:
    banners = qe_banners(answer.text)
    if not banners:
        said = f"; it said: {answer.first_line}" if answer.first_line else ""
        problem = f"it printed no line with a version of Quantum ESPRESSO{said}"
        return qe_check(label, QeInfo(Path(path), None, problem), PATH_FIX)
    name, version = banners[0]
    if name != QE_PROGRAMS[program]:
        problem = f"it calls itself {name}, and not {QE_PROGRAMS[program]}"
        return qe_check(label, QeInfo(Path(path), None, problem), PATH_FIX)
    return qe_check(label, QeInfo(Path(path), version), PATH_FIX)


def _mpi(program: str, label: str, output: str, mpi: Mpi | None, ranks: int) -> Iterator[Check]:
    name = f"MPI of {label}"
    kind = mpi or "an MPI that is not known here, or none"
    if ranks == 1:
        yield Check(name, "ok", f"{label} has {kind}; it was not started in parallel (test_ranks: 1)")
        return
    starts, size = started(program, output)
    if starts == 1 or (program == "md" and starts == size):
        if size is not None and size != ranks:
            yield Check(name, "failure", f"{label} ran on {size} ranks of {ranks}", MPIRUN_FIX)
        else:
            yield Check(name, "ok", f"{label} ran on {ranks} ranks, with {kind}")
        return
    message = f"mpirun started {starts} runs of {label} beside each other, and not one on {ranks} ranks"
    yield Check(name, "failure", f"{message}; it has {kind}", MPIRUN_FIX)


def started(program: str, output: str) -> tuple[int, int | None]:
    """Return how often a program says that it starts, and on how many ranks, where it says that."""
    if program == "md":
        # each rank says it
        sizes = re.findall(r"^release .* ranks (\d+)$", output, re.MULTILINE)
        return len(sizes), int(sizes[0]) if sizes else None
    if program == "lmp":
        return len(re.findall(r"Massively Parallel Simulator - ", output)), None
    stated = re.search(r"Number of MPI processes:\s+(\d+)", output) or re.search(
        r"Parallel version \(MPI[^)]*\), running on\s+(\d+) processor", output
    )
    size = int(stated.group(1)) if stated else 1 if "Serial" in output else None
    return len(qe_banners(output)), size


def linked(text: str) -> list[LinkedLibrary]:
    """Read the shared libraries that `libraries_script` wrote."""
    lines = [line.split(" => ") for line in text.splitlines()]
    return [LinkedLibrary(line[0], Path(line[1]), Path(line[2])) for line in lines if len(line) == 3]


def loaded(output: str) -> list[LinkedLibrary]:
    """Read the shared libraries that the Python of a test job has in memory."""
    paths = [Path(path) for path in re.findall(r"^library (/.*)$", output, re.MULTILINE)]
    # files carry more of a version than the names they are linked by
    return [LinkedLibrary(re.sub(r"(\.so\.\d+)\..*$", r"\1", path.name), path, path) for path in paths]


def without_noise(errors: str) -> str:
    """Leave out the name of the job script before a line, and what mpirun says of a program that ends in an error.

    All programs do that find no input.
    """
    lines = errors.splitlines()
    kept = [line for line in lines if not re.match(r"-{20}|MPI_ABORT|with errorcode|NOTE: invoking", line)]
    return "\n".join(re.sub(r"^\S*(_aiidasubmit\.sh|slurm_script): line \d+: ", "", line) for line in kept)
