"""The file of a site: a computer, how it is reached, what it allows, and its codes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from aiida_rewire.campaign.specification import LABEL_PATTERN, WALL_HOURS, WORD, Section, entry

LONGEST_PATH = 500
PATH_PATTERN = r"^/[\w.@:+/,= -]*$"
PROGRAM_PATTERN = r"^(/[\w.@:+/,= -]+|[A-Za-z0-9][\w.+-]*)$"
WORK_DIR_PATTERN = r"^/[\w.@:+/,={}-]*$"
HOST_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$"
JUMP_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@,-]{0,500}$"
TEXT: dict[str, Any] = {
    "max_length": 10_000,
    "bound": "at most 10000 characters",
    "way_out": "put more into a script and call that",
}
HOST = {"pattern": HOST_PATTERN, "bound": "the name of a host", "way_out": "login.cluster.example is one"}
LABEL: dict[str, Any] = {
    "pattern": LABEL_PATTERN,
    "bound": "1 to 80 letters, digits, dots, underscores and hyphens, the first a letter or digit",
}

LOCAL, SSH_ASYNC, SSH = "core.local", "core.ssh_async", "core.ssh"
SLURM, DIRECT = "core.slurm", "core.direct"


class Connection(Section):
    """How the computer is reached by this user; some keys belong to one transport alone."""

    host: str | None = entry(
        "Entry of ~/.ssh/config to reach it by, of core.ssh_async. Default: the hostname",
        default=None,
        **HOST,
    )
    backend: Literal["asyncssh", "openssh"] | None = entry(
        "Who speaks SSH: asyncssh, or openssh, the program `ssh`; of core.ssh_async. Default: asyncssh", default=None
    )
    transfers: int | None = entry(
        "Transfers at a time, of core.ssh_async. Default: AiiDA's, 8", default=None, ge=1, le=100
    )
    username: str | None = entry("Account there, of core.ssh. Default: this one", default=None, **WORD)
    port: int | None = entry("Port of sshd, of core.ssh. Default: 22", default=None, ge=1, le=65535)
    key_file: str | None = entry(
        "Private key, of core.ssh. Default: those that ssh looks for",
        default=None,
        pattern=PATH_PATTERN,
        max_length=LONGEST_PATH,
        bound="an absolute path",
        way_out="/home/me/.ssh/id_ed25519 is one",
    )
    proxy_jump: str | None = entry(
        "Hosts between, USER@HOST:PORT with commas between, of core.ssh. Default: none",
        default=None,
        pattern=JUMP_PATTERN,
        bound="USER@HOST:PORT, several with commas between",
    )
    timeout_s: int | None = entry(
        "Time for a connection, of core.ssh. Default: 60", default=None, unit="s", ge=1, le=600
    )
    login_shell: bool = entry(
        "Run commands in a login shell, which finds modules but may be slow, true or false", default=True
    )
    safe_interval_s: float | None = entry(
        "Time between two connections. Default: AiiDA's, 15 with core.ssh, otherwise less",
        default=None,
        unit="s",
        ge=0,
        le=3600,
    )


class Allowed(Section):
    """What a job may ask for at most; `aiida-rewire campaign check` holds jobs against it."""

    max_machines: int | None = entry("Machines of a job. Default: no limit", default=None, ge=1, le=100_000)
    max_walltime_h: float | None = entry(
        "Wall time of a job. Default: no limit", default=None, unit="h", ge=WALL_HOURS[0], le=WALL_HOURS[1]
    )


class TestJobs(Section):
    """What the jobs ask the scheduler for that test the codes."""

    __test__ = False

    account: str | None = entry("Account that is charged. Default: the scheduler's", default=None, **WORD)
    partition: str | None = entry("Partition or queue. Default: the scheduler's", default=None, **WORD)
    qos: str | None = entry("Quality of service. Default: the scheduler's", default=None, **WORD)
    walltime_min: int = entry("Wall time", default=5, unit="min", ge=1, le=1440)


class SiteComputer(Section):
    """The computer as AiiDA is to know it."""

    label: str = entry("Name of the computer in AiiDA", way_out="cluster is one", **LABEL)
    description: str = entry("What it is", default="", max_length=1000, bound="at most 1000 characters")
    hostname: str = entry("Name of the host, of the login node", **HOST)
    transport: Literal["core.local", "core.ssh_async", "core.ssh"] = entry(
        "How it is reached: core.local, this host; core.ssh_async or core.ssh, by SSH"
    )
    connection: Connection = entry("How this user reaches it", default=Connection())
    scheduler: Literal["rewire.slurm", "core.slurm", "core.direct"] = entry(
        "Who starts the jobs: rewire.slurm, which is core.slurm and doubts a squeue that says nothing, core.slurm, "
        "or core.direct, which starts all at once"
    )
    work_dir: str = entry(
        "Folder of the jobs; {username} stands for the account there",
        pattern=WORK_DIR_PATTERN,
        max_length=LONGEST_PATH,
        bound="an absolute path of letters, digits and ._@:+,=-, with no other braces than {username}",
        way_out="/scratch/{username}/aiida is one",
    )
    mpirun: list[Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]] = entry(
        "Words that start a program in parallel; {tot_num_mpiprocs} stands for its ranks",
        default=["mpirun", "-np", "{tot_num_mpiprocs}"],
        max_length=50,
        bound="a list of 50 words at most",
        way_out='["srun", "-n", "{tot_num_mpiprocs}"] is one',
    )
    cores: int | None = entry(
        "Cores of a machine, which a job's ranks must not exceed. Default: no limit", default=None, ge=1, le=10_000
    )
    memory_gb: float | None = entry(
        "Memory of a machine, GB; a job that names none asks for all of it. Default: not said",
        default=None,
        unit="GB",
        gt=0,
        le=100_000,
    )
    poll_interval_s: float = entry(
        "Time between two questions to the scheduler", default=30.0, unit="s", ge=0.1, le=3600
    )
    prepend: str = entry("Shell lines at the beginning of every job", default="", **TEXT)
    allowed: Allowed = entry("What a job may ask for at most", default=Allowed())
    test: TestJobs = entry("What the jobs ask for that test the codes", default=TestJobs())


class SiteCode(Section):
    """A code."""

    label: str | None = entry("Name in AiiDA. Default: its key", default=None, way_out="pw-7.4 is one", **LABEL)
    path: str = entry(
        "The program: its absolute path, or its name, where `prepend` puts it on PATH",
        pattern=PROGRAM_PATTERN,
        max_length=LONGEST_PATH,
        bound="an absolute path or a bare name",
        way_out="/opt/qe/bin/pw.x is one",
    )
    prepend: str = entry("Shell lines before it, such as `module load`", default="", **TEXT)
    test_ranks: int = entry(
        "MPI ranks of the job that tests it; 1 is without mpirun", default=1, ge=1, le=1024, bound="from 1 to 1024"
    )


def code(meaning: str) -> Any:
    """Describe the field of a code."""
    return entry(f"{meaning}. Default: there is none", default=None)


class SiteCodes(Section):
    """The codes by what they are for; the key is the label unless one is given."""

    md: SiteCode | None = code("A Python that can import LAMMPS's module, NumPy and SciPy, plugin rewire.md")
    lmp: SiteCode | None = code("LAMMPS, plugin rewire.md, for dynamics without a driver")
    pw: SiteCode | None = code("pw.x, plugin rewire.pw")
    pp: SiteCode | None = code("pp.x, plugin rewire.readback")
    pwcond: SiteCode | None = code("pwcond.x, plugin rewire.pwcond")
    ld1: SiteCode | None = code("ld1.x, plugin rewire.ld1, which makes pseudopotentials")


class Site(Section):
    """A computer and its codes."""

    computer: SiteComputer = entry("The computer as AiiDA is to know it")
    codes: SiteCodes = entry("Codes by what they are for", default=SiteCodes())

    def named_codes(self) -> dict[str, SiteCode]:
        """Return the codes that are given, by what they are for."""
        found = {name: getattr(self.codes, name) for name in SiteCodes.model_fields}
        return {name: given for name, given in found.items() if given is not None}
