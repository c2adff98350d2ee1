"""The file of a site: what it may hold, what is said of a wrong one, and the examples."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from aiida_rewire.campaign.files import FileErrors
from aiida_rewire.cli.main import main
from aiida_rewire.cli.setup.example import EXAMPLES, example_file
from aiida_rewire.cli.setup.registering import asked_of_computer, asked_of_connection
from aiida_rewire.cli.setup.site import Site
from aiida_rewire.cli.setup.site_file import read_site, site_of

SMALL = """\
computer:
  label: here
  hostname: localhost
  transport: core.local
  scheduler: core.direct
  work_dir: /scratch/{username}/aiida
codes:
  pw:
    path: /usr/bin/pw.x
"""


def errors(text: str) -> list[str]:
    with pytest.raises(FileErrors) as caught:
        site_of(text, "site.yaml")
    return caught.value.errors


def test_a_small_file_has_the_defaults() -> None:
    site = site_of(SMALL, "site.yaml")
    assert list(site.named_codes()) == ["pw"]
    assert site.computer.mpirun == ["mpirun", "-np", "{tot_num_mpiprocs}"]
    assert asked_of_connection(site.computer) == {"use_login_shell": True, "safe_interval": 0.0}
    asked = asked_of_computer(site.computer)
    assert (asked["memory_kb"], asked["cores"], asked["test"]) == (None, None, {"walltime_min": 5})


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_an_example_is_printed_and_can_be_read(name: str) -> None:
    done = CliRunner().invoke(main, ["setup", "example", name])
    assert (done.exit_code, done.output) == (0, example_file(name))
    site = site_of(done.output, name)
    assert {"md", "pw", "pp", "pwcond"} <= set(site.named_codes())


def keys_of(values: Any) -> set[str]:
    if not isinstance(values, dict):
        return set()
    return set(values) | {key for below in values.values() for key in keys_of(below)}


def test_together_the_examples_have_every_key() -> None:
    schema = Site.model_json_schema()["$defs"]
    known = {key for section in schema.values() for key in section["properties"]}
    shown = {key for name in EXAMPLES for key in keys_of(yaml.safe_load(example_file(name)))}
    # LAMMPS without a driver stands there as a comment
    assert known - shown == {"lmp"}
    assert "# lmp:" in example_file("slurm-ssh")


def test_memory_is_kept_in_kb_of_1024_bytes() -> None:
    site = site_of(SMALL.replace("codes:", "  memory_gb: 128\ncodes:"), "site.yaml")
    assert asked_of_computer(site.computer)["memory_kb"] == 125_000_000


def test_the_ssh_example_becomes_what_aiida_wants() -> None:
    computer = site_of(example_file("slurm-ssh"), "site.yaml").computer
    assert asked_of_connection(computer) == {
        "use_login_shell": True,
        "host": "login.cluster.example",
        "backend": "asyncssh",
        "max_io_allowed": 8,
    }
    asked = asked_of_computer(computer)
    assert asked["allowed"] == {"max_machines": 4, "max_walltime_h": 24.0}
    by_paramiko = asked_of_connection(site_of(example_file("direct"), "site.yaml").computer)
    assert (by_paramiko["key_policy"], by_paramiko["load_system_host_keys"]) == ("RejectPolicy", True)
    assert (by_paramiko["username"], by_paramiko["port"], by_paramiko["safe_interval"]) == ("me", 22, 5.0)
    assert "key_filename" not in by_paramiko


def test_all_that_is_wrong_is_said_at_once_with_its_line() -> None:
    text = """\
computer:
  label: "a b"
  hostname: -oProxyCommand=true
  transport: core.sshh
  scheduler: core.slurm
  work_dir: scratch
  cores: "32"
  memory_gb: 64 GB
  poll_intervall_s: 3
  mpirun: ["mpirun", "-np", "{ranks}"]
  allowed: {max_walltime_h: 0}
codes:
  pw:
    path: "pw.x; rm -rf ~"
    prepend: 3
  pq: {path: pp.x}
  pwcond: {test_ranks: 2}
"""
    lines = [line.removeprefix("site.yaml:") for line in errors(text)]
    assert lines == [
        "2: computer.label = 'a b': must be 1 to 80 letters, digits, dots, underscores and hyphens, the first a "
        "letter or digit; cluster is one",
        "3: computer.hostname = '-oProxyCommand=true': must be the name of a host; login.cluster.example is one",
        "4: computer.transport = 'core.sshh': must be one of core.local, core.ssh_async, core.ssh; did you mean "
        "core.ssh?",
        "6: computer.work_dir = 'scratch': must be an absolute path of letters, digits and ._@:+,=-, with no other "
        "braces than {username}; /scratch/{username}/aiida is one",
        "7: computer.cores = '32': must be a whole number, from 1 to 10000; correct it",
        "8: computer.memory_gb = '64 GB': must be a number, above 0 and at most 100000 GB; write 64, without a unit",
        "9: computer.poll_intervall_s = 3: must be a known key; did you mean poll_interval_s?",
        "10: computer.mpirun[2] = {ranks}: must be with no other braces than {tot_num_mpiprocs}, {num_machines}, "
        "{num_mpiprocs_per_machine}, {num_cores_per_machine}, {num_cores_per_mpiproc}; correct them",
        "11: computer.allowed.max_walltime_h = 0: must be from 0.01 to 8760 h; correct it",
        "14: codes.pw.path = 'pw.x; rm -rf ~': must be an absolute path or a bare name; /opt/qe/bin/pw.x is one",
        "15: codes.pw.prepend = 3: must be text; write it in quotes",
        "16: codes.pq = {'path': 'pp.x'}: must be a known key; did you mean pw?",
        "17: codes.pwcond.path = missing: must be given; add it: The program: its absolute path, or its name, where "
        "`prepend` puts it on PATH.",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "  scheduler",
            "  connection: {port: 22}\n  scheduler",
            "5: computer.connection.port = 22: must be left out with core.local: it is of core.ssh; leave it out, or "
            "change the transport",
        ),
        (
            "{username}/aiida",
            "{user}/aiida",
            "6: computer.work_dir = /scratch/{user}/aiida: must be with no other braces than {username}",
        ),
        ("{username}", "{", "6: computer.work_dir = /scratch/{/aiida: must be with no other braces than {username}"),
        (
            "    path",
            "    test_ranks: 4\n    path",
            None,
        ),
        (
            "codes:\n  pw:\n",
            "  cores: 2\ncodes:\n  pw:\n    test_ranks: 4\n",
            "10: codes.pw.test_ranks = 4: must be at most the 2 cores of a machine; take fewer",
        ),
        (
            "codes:\n",
            "codes:\n  pp: {label: pw, path: pp.x}\n",
            "8: codes.pp.label = pw: must be another than that of codes.pw; rename one",
        ),
        ("codes:", "codes: !!python/object/apply:os.system [id]\nx:", "7: the tag '"),
        ("codes:", "a: &a [x]\ncodes:", "7: an anchor (&) or alias (*): must be left out"),
    ],
)
def test_what_does_not_go_together_is_refused(before: str, after: str, said: str | None) -> None:
    text = SMALL.replace(before, after, 1)
    if said is None:
        assert site_of(text, "site.yaml").codes.pw is not None
        return
    (line,) = errors(text)
    assert line.startswith(f"site.yaml:{said}")


@pytest.mark.parametrize(
    "path",
    ["/bin/$(id)", "/bin/`id`", "-rf", "pw.x\nid", "../pw.x", "~/pw.x", "/bin/a'b", '/bin/a"b', "/bin/a;b", ""],
)
def test_a_program_is_a_path_and_no_command(path: str) -> None:
    (line,) = errors(SMALL.replace("/usr/bin/pw.x", json.dumps(path)))
    assert "codes.pw.path = " in line


def test_what_is_no_site_ends_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    with pytest.raises(
        FileErrors, match=r":1: cannot be read: No such file .*; `aiida-rewire setup example` writes one"
    ):
        read_site(file)
    file.write_text("- 1\n")
    with pytest.raises(FileErrors, match=":1: the file is no mapping; `aiida-rewire setup example` writes one"):
        read_site(file)
    file.write_bytes(b"a: b\n" * 300_000)
    with pytest.raises(FileErrors, match=":1: size = above 1000000 bytes"):
        read_site(file)
    done = CliRunner().invoke(main, ["setup", "cluster", str(tmp_path / "none.yaml")])
    assert done.exit_code == 1
    assert done.output.splitlines()[-1] == f"Error: 1 error in {tmp_path / 'none.yaml'}"
