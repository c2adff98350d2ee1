"""What test jobs say of codes, from what programs print."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_rewire.cli.checks import Check
from aiida_rewire.cli.executables import find_executable, linked_libraries
from aiida_rewire.cli.setup.probes import (
    LIBRARIES,
    Told,
    judged,
    libraries_script,
    linked,
    loaded,
    probe_of,
    started,
)

BANNER = """
     Program {name} v.{version} starts on 25Nov2026 at 22: 5:22

     Parallel version (MPI), running on     {ranks} processors
"""
OPENBLAS = """\
libblas.so.3 => /lib/x86_64-linux-gnu/libblas.so.3 => /usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3
libmpi.so.40 => /lib/x86_64-linux-gnu/libmpi.so.40 => /usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4
"""
REFERENCE = "libblas.so.3 => /lib/libblas.so.3 => /usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0\n"


def banner(name: str = "PWSCF", version: str = "7.4.1", ranks: int = 1) -> str:
    return BANNER.format(name=name, version=version, ranks=ranks)


def said(checks: list[Check]) -> list[tuple[str, str, str]]:
    return [(check.status, check.name, check.message) for check in checks]


def test_a_good_program_is_told_with_its_libraries() -> None:
    told = Told(banner(ranks=2), "", OPENBLAS)
    assert said(judged("pw", "pw-7", "/opt/pw.x", told, 2)) == [
        ("ok", "pw-7", "7.4.1 (/opt/pw.x)"),
        ("ok", "BLAS of pw-7", "pw-7 uses OpenBLAS"),
        ("ok", "MPI of pw-7", "pw-7 ran on 2 ranks, with Open MPI"),
    ]


def test_the_reference_blas_and_an_old_version_are_warned_of() -> None:
    checks = judged("pwcond", "pwcond", "pwcond.x", Told(banner("PWCOND", "6.5"), "", REFERENCE), 1)
    assert [check.status for check in checks] == ["warning", "warning", "ok"]
    assert checks[1].message == "pwcond uses the reference BLAS: several times slower"
    assert "not started in parallel" in checks[2].message


def test_an_mpirun_of_another_mpi_is_a_failure() -> None:
    *_, mpi = judged("pw", "pw", "pw.x", Told(banner() * 2, "", OPENBLAS), 2)
    assert (mpi.status, mpi.name) == ("failure", "MPI of pw")
    assert mpi.message == "mpirun started 2 runs of pw beside each other, and not one on 2 ranks; it has Open MPI"
    *_, fewer = judged("pw", "pw", "pw.x", Told(banner(ranks=2), "", OPENBLAS), 4)
    assert (fewer.status, fewer.message) == ("failure", "pw ran on 2 ranks of 4")


def test_another_program_is_told_from_the_one_that_was_meant() -> None:
    (check,) = judged("pw", "pw", "/usr/bin/pp.x", Told(banner("POST-PROC")), 1)
    assert (check.status, check.message) == ("failure", "/usr/bin/pp.x: it calls itself POST-PROC, and not PWSCF")


def test_what_the_shell_says_of_a_program_that_is_not_there_is_handed_on() -> None:
    errors = "/scratch/ab/cd/_aiidasubmit.sh: line 9: /opt/pw.x: No such file or directory\n"
    (check,) = judged("pw", "pw", "/opt/pw.x", Told("", errors), 1)
    problem = "it printed no line with a version of Quantum ESPRESSO"
    assert check.message == f"/opt/pw.x: {problem}; it said: /opt/pw.x: No such file or directory"
    assert check.fix == "correct its path, or load its module in prepend"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (banner(), (1, 1)),
        (banner(ranks=8), (1, 8)),
        (
            banner().replace("(MPI), running on     1 processors", "(MPI & OpenMP), running on  8 processor cores"),
            (1, 8),
        ),
        (banner() + "     Number of MPI processes:   4\n     Threads/MPI process:   2\n", (1, 4)),
        (banner().replace("Parallel version (MPI), running on     1 processors", "Serial version"), (1, 1)),
        ("nonsense", (0, None)),
    ],
)
def test_ranks_are_read_from_what_versions_print(text: str, found: tuple[int, int | None]) -> None:
    assert started("pw", text) == found


def test_each_rank_of_the_driver_says_how_many_there_are() -> None:
    line = "release 20250722 REAXFF True ranks {}\nlibrary /opt/lib/libmpi.so.12.3.0\n"
    assert said(judged("md", "md", "python", Told(line.format(2) * 2), 2))[1:] == [
        ("ok", "MPI of md", "md ran on 2 ranks, with MPICH")
    ]
    *_, mpi = judged("md", "md", "python", Told(line.format(1) * 2), 2)
    assert mpi.status == "failure"
    (check,) = judged("md", "md", "python3", Told("ModuleNotFoundError: No module named 'lammps'\n"), 1)
    assert check.message == "python3 cannot import LAMMPS's module: ModuleNotFoundError: No module named 'lammps'"


@pytest.mark.skipif(find_executable("pw.x") is None, reason="pw.x is not installed")
def test_the_script_finds_the_libraries_that_the_loader_finds(tmp_path: Path) -> None:
    pw = find_executable("pw.x")
    assert pw is not None
    for path in (str(pw), "pw.x"):
        subprocess.run(["bash", "-c", libraries_script(path)], cwd=tmp_path, check=True)
        found = linked((tmp_path / LIBRARIES).read_text())
        here = [library for library in linked_libraries(pw) if library.path is not None]
        assert [(library.name, library.path) for library in found] == [(one.name, one.path) for one in here]
        assert [library.file for library in found] == [one.file for one in here]


def test_the_script_runs_nothing_that_a_path_says(tmp_path: Path) -> None:
    path = f"$(touch {tmp_path}/ran)'`touch {tmp_path}/ran`;touch ran"
    subprocess.run(["bash", "-c", libraries_script(path)], cwd=tmp_path, check=False)
    assert [file.name for file in tmp_path.iterdir()] == [LIBRARIES]


def test_the_python_probe_runs_the_driver_itself(tmp_path: Path) -> None:
    probe = probe_of("md")
    (tmp_path / probe.arguments[0]).write_text(probe.text)
    done = subprocess.run(
        [sys.executable, *probe.arguments], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    checks = judged("md", "md", sys.executable, Told(done.stdout), 1)
    assert [check.status for check in checks] == ["ok", "ok"], done.stdout
    # the driver of the job, and not the one that is installed here
    assert "aiida_rewire/bias/driver.py" in json.loads(re.findall(r"FILES = (.*)", probe.text)[0])
    assert loaded(done.stdout)
    assert [file.name for file in tmp_path.iterdir()] == [probe.arguments[0]]
