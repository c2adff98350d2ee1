"""`aiida-rewire report`: the file, what it says, and what it refuses."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.cli.main import main
from aiida_rewire.cli.report import file_name

sys.path += [str(Path(__file__).parents[1] / "campaign"), str(Path(__file__).parents[1] / "report")]

from filmed import Filmed
from small_campaigns import make_spec
from synthetic import synthetic_campaign
from synthetic_tables import Made

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def made(aiida_profile: Any) -> Iterator[Made]:
    """A campaign of ten chains, with atoms and T(E)."""
    with synthetic_campaign(kind=Filmed) as campaign:
        yield campaign


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "report")


def test_a_page_is_written_and_said_so(run: Run, made: Made, tmp_path: Path) -> None:
    said = run(made.label).stdout
    path = tmp_path / f"{made.label}.html"
    done = sum(chain.snapshots["done"] for chain in made.chains.values())
    assert re.fullmatch(rf"wrote {re.escape(str(path))}: 0\.\d MB, 10 chains, {done} conductances\n", said)
    html = path.read_text(encoding="utf-8")
    assert f"<title>{made.label} – aiida-rewire</title>" in html
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_for_programs(run: Run, made: Made, tmp_path: Path) -> None:
    found = json.loads(run(made.label, "--output", "a.html", "--json").stdout)
    path = tmp_path / "a.html"
    done = sum(chain.snapshots["done"] for chain in made.chains.values())
    numbers = {"bytes": path.stat().st_size, "chains": 10, "conductances": done}
    assert found == {"label": made.label, "file": str(path), **numbers}


def test_a_file_that_is_there_is_replaced_when_it_is_said_to_be(run: Run, made: Made, tmp_path: Path) -> None:
    path = tmp_path / "kept.html"
    path.write_text("mine")
    said = run(made.label, "--output", path, status=1).output
    assert said == f"Error: output = {path}: must not be there yet; --force replaces it, --output names another\n"
    assert path.read_text() == "mine"
    run(made.label, "--output", path, "--force")
    assert made.label in path.read_text(encoding="utf-8")


def test_a_campaign_without_conductances_has_a_page_that_says_so(
    run: Run, aiida_profile: Any, tmp_path: Path
) -> None:
    label = record_campaign(make_spec(), "")[0].label
    assert "no snapshot has a conductance yet: the page says so" in run(label).stdout
    assert "No snapshot has a conductance yet" in (tmp_path / f"{label}.html").read_text(encoding="utf-8")


def test_an_unknown_campaign_names_the_nearest(run: Run, made: Made, tmp_path: Path) -> None:
    said = run(f"{made.label}x", status=1).output
    assert said.startswith(f"Error: label = '{made.label}x': must be that of a recorded campaign; there is ")
    assert made.label in said.partition("there is")[2]
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("options", [["--output", "a.html"], ["--force"], ["--json"]])
def test_what_is_served_is_written_nowhere(run: Run, made: Made, options: list[str]) -> None:
    assert run(made.label, "--serve", *options, status=1).output.startswith("Error: --serve: must be without")


def test_a_folder_that_is_not_there_is_told_in_a_line(run: Run, made: Made) -> None:
    said = run(made.label, "--output", "no/such/a.html", status=1).output
    assert said.startswith("Error: [Errno 2] No such file or directory")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("silver-2V", "silver-2V.html"),
        ("../../etc/passwd", "_.._etc_passwd.html"),
        ("<script>alert(1)</script>", "_script_alert_1___script_.html"),
        ("...", "campaign.html"),
        ("ä/\x00", "___.html"),
        ("x" * 300, f"{'x' * 100}.html"),
    ],
)
def test_any_label_gives_a_name_of_a_file_here(label: str, name: str) -> None:
    assert file_name(label) == name
    assert os.sep not in name


def test_the_page_is_served_until_it_is_stopped(made: Made) -> None:
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    command = [sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", "report", "--profile", profile.name]
    with subprocess.Popen(
        [*command, "--serve", "--port", "0", made.label], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            found = re.fullmatch(rf"(http://127\.0\.0\.1:\d+/\S+/) shows {made.label}; Ctrl-C stops\n", line)
            assert found, line + process.stderr.read()
            address = urlsplit(found[1])
            connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
            connection.request("GET", address.path)
            answer = connection.getresponse()
            assert answer.status == 200
            assert f"<title>{made.label}" in answer.read().decode()
            connection.close()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
            assert process.stderr.read() == "stopped; the campaign goes on\n"
        finally:
            process.kill()
