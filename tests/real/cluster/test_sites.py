"""`aiida-rewire setup cluster` on Slurm, from its login node and over both of AiiDA's SSH transports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.real.campaign.group_database import CLI
from tests.real.services.profile import Done, Profile
from tests.real.services.slurm import SHORT, Slurm
from tests.real.services.ssh import HOST, Ssh

from aiida_rewire.cli.executables import find_executable, matching_mpirun, qe_version
from aiida_rewire.cli.setup.example import example_file
from aiida_rewire.cli.setup.site_file import site_of

pytestmark = [pytest.mark.real, pytest.mark.nightly]

PW = find_executable("pw.x")


@pytest.fixture(scope="module")
def profile(services_folder: Path, slurm: Slurm, ssh: Ssh) -> Profile:
    """Profile without services, without a daemon and without a computer of the cluster."""
    made = Profile(services_folder / "for_setup", {**slurm.environment, **ssh.environment})
    made.create_embedded()
    return made


def site(profile: Profile, example: str, label: str, connection: dict[str, Any], **changes: Any) -> Path:
    """Fill in an example as somebody would."""
    values = site_of(example_file(example), example).model_dump(exclude_none=True)
    assert PW is not None
    computer = {"label": label, "work_dir": str(profile.folder / f"work-{label}"), "poll_interval_s": 0.5, "cores": 2}
    computer |= {"mpirun": [str(matching_mpirun(PW)), "-np", "{tot_num_mpiprocs}"]}
    computer |= {"prepend": "export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"}
    values["computer"] |= computer | {"connection": {"safe_interval_s": 0.0, **connection}} | changes
    for name, code in values["codes"].items():
        code["path"] = sys.executable if name == "md" else f"/usr/bin/{name}.x"
        code["prepend"] = ""
    file = profile.folder / f"{label}.yaml"
    file.write_text(json.dumps(values))
    return file


def set_up(profile: Profile, file: Path, *options: str) -> Done:
    return profile.command(*CLI, "setup", "cluster", str(file), *options, timeout_s=300)


@pytest.mark.parametrize(
    ("example", "label", "connection", "changes"),
    [
        ("slurm-here", "from-login", {}, {}),
        ("slurm-ssh", "by-asyncssh", {"host": HOST}, {}),
        ("direct", "by-paramiko", {}, {"hostname": "127.0.0.1", "scheduler": "core.slurm"}),
    ],
)
def test_every_code_is_tested_on_the_cluster(
    profile: Profile, ssh: Ssh, example: str, label: str, connection: dict[str, Any], changes: dict[str, Any]
) -> None:
    if label == "by-paramiko":
        connection = {"username": ssh.user, "port": ssh.port, "key_file": str(ssh.key)}
    file = site(profile, example, label, connection, test={"partition": SHORT}, **changes)
    done = set_up(profile, file)
    assert done.status == 0, done.output + done.errors
    assert PW is not None
    lines = done.output.splitlines()
    assert f"ok       pw              {qe_version(PW)} ({PW})" in lines
    assert any(line.startswith("ok       MPI of pw       pw ran on 2 ranks, with ") for line in lines), done.output
    assert lines[0] == f"computer {label}: made"
    again = set_up(profile, file, "--no-test")
    assert (again.status, again.errors) == (0, "")
    assert again.output.endswith("as the file says, nothing changed\n")
    partitions = profile.python(QUEUES, label).split()
    assert partitions == [SHORT] * len(partitions) != []
    judged = profile.command(*CLI, "doctor", "--computer", label, "--json")
    assert json.loads(judged.output)["ok"] is True


QUEUES = """
import sys
from aiida import load_profile, orm
load_profile()
query = orm.QueryBuilder().append(orm.Computer, filters={"label": sys.argv[1]}, tag="computer")
for node in query.append(orm.CalcJobNode, with_computer="computer").all(flat=True):
    assert node.get_job_id(), node
    print(node.get_option("queue_name"))
"""


def test_what_the_scheduler_refuses_is_told_at_once(profile: Profile) -> None:
    file = site(profile, "slurm-here", "refused", {}, test={"partition": "no-such-partition"})
    done = set_up(profile, file, "--timeout", "60")
    assert done.status == 1
    said = " ".join(done.output.split())
    assert "its test job was refused:" in said
    assert "invalid partition specified: no-such-partition" in said, said
    assert "Traceback" not in done.output + done.errors


def test_a_queue_that_does_not_move_ends_in_a_line(profile: Profile, slurm: Slurm) -> None:
    file = site(profile, "slurm-here", "waiting", {})
    slurm.client("scontrol", "update", "PartitionName=test", "State=DOWN")
    try:
        done = set_up(profile, file, "--timeout", "5")
        assert done.status == 1
        assert "its test job did not end in 5 s" in done.output
        # nothing is left in the queue
        assert slurm.jobs() == {}
    finally:
        slurm.client("scontrol", "update", "PartitionName=test", "State=UP")


def test_a_key_that_is_not_let_in_is_told_with_a_way_out(profile: Profile, ssh: Ssh) -> None:
    public = (ssh.folder / "user_key.pub").read_text().strip()
    ssh.shut_out(ssh.user)
    try:
        done = set_up(profile, site(profile, "slurm-ssh", "shut-out", {"host": HOST}))
    finally:
        ssh.let_in(ssh.user, public)
    assert done.status == 1
    assert "failure  shut-out        not usable: " in done.output
    assert "-> try `ssh " in done.output
    assert "Traceback" not in done.output + done.errors
