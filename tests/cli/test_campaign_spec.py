"""`aiida-rewire campaign new` and `check`: files that are written, and what is said of them."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from tests.cli.invoking import invoke

from aiida_rewire.campaign.reading import digest_of, read_campaign, spec_of
from aiida_rewire.campaign.specification import CampaignSpec
from aiida_rewire.cli.main import main
from aiida_rewire.workflows.protocols import protocol_names

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return partial(invoke, main, "campaign")


def fields_of(model: Any, path: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        nested = hasattr(field.annotation, "model_fields")
        found += fields_of(field.annotation, f"{path}{name}.") if nested else [f"{path}{name}"]
    return found


def paths_of(values: Any, path: str = "") -> list[str]:
    if not isinstance(values, dict) or not values:
        return [path]
    return [found for key, part in values.items() for found in paths_of(part, f"{path}.{key}" if path else key)]


@pytest.mark.parametrize("protocol", protocol_names("chain"))
def test_a_new_file_has_every_field_and_changes_nothing_of_the_protocol(run: Run, protocol: str) -> None:
    said = run("new", "--protocol", protocol, "--label", "mine").output
    assert said == "wrote campaign.yaml; fill in its codes, then `aiida-rewire campaign check` it\n"
    spec = read_campaign(Path("campaign.yaml"))
    values = yaml.safe_load(Path("campaign.yaml").read_text())
    assert paths_of(values) == fields_of(CampaignSpec)
    asked = spec.model_dump(exclude_defaults=True)
    assert asked.pop("md") == {"voltages": [12.0] if protocol == "demo" else [2.0, 8.0], "seeds": [1, 2]}
    assert asked.pop("protocol", "moderate") == protocol
    assert set(asked) == {"label", "codes", "pseudo_family"}
    assert spec.label == "mine"


def test_the_comments_of_a_new_file_are_the_models_own(run: Run) -> None:
    text = run("new", "-", "--protocol", "paper").output
    for line in (
        "  # Distance of the apexes, Å. Default: the protocol's, 8.3.\n  gap: null",
        "  # Length of the production under the voltage, ps. Default: the protocol's, 3000.0.\n  production_ps: null",
        "  # Length of the equilibration at 0 V, ps. Default: the protocol's, 50.0.\n  equilibration_ps: null",
        '  # How the driver spreads it. Default: the protocol\'s, "steady".\n  potential: null',
        "    # MPI ranks on each machine. Default: the protocol's, 32.\n    ranks: null",
        "    # Wall time, h. Default: the protocol's, 24.0.\n    walltime_h: null",
        "  # Attempts of a chain that failed in a way that another may mend, the first among them. Default: 2.",
        "  # SCF of leads, true or false. Default: the protocol's, true.\n  leads: null",
    ):
        assert line in text
    # all that the models say, whatever its line breaks
    words = " ".join(text.replace("#", " ").split())
    for field in CampaignSpec.model_fields.values():
        assert str(field.description).split(". Default")[0] in words
    assert max(map(len, text.splitlines())) <= 140


def test_a_file_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    said = run("new", path, status=1).output
    assert said == f"Error: file = {path}: must not be there yet; choose another, or delete it\n"
    assert path.read_text() == "precious"
    assert "Error: file = no/folder.yaml: cannot be written" in run("new", "no/folder.yaml", status=1).output
    said = run("new", "other.yaml", "--label", "two words", status=1).output
    assert said.startswith("Error: label = 'two words': must be 1 to 80 letters")
    said = run("new", "other.yaml", "--protocol", "papper", status=1).output
    assert said == "Error: protocol = papper: must be one of demo, moderate, paper; correct the name\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("label", ["1", "true", "null", "1e3", "2024-01-01", "a.b_c-d"])
def test_any_label_is_text_in_the_file(run: Run, label: str) -> None:
    assert spec_of(run("new", "-", "--label", label).output, "file").label == label


def test_new_says_in_json_what_it_wrote(run: Run) -> None:
    said = json.loads(run("new", "a.yaml", "--json").stdout)
    assert said == {"file": "a.yaml", "label": "silver", "protocol": "moderate"}


def test_the_schema_is_that_of_the_models_and_that_of_the_documentation(run: Run, tmp_path: Path) -> None:
    schema = json.loads(run("new", "--schema").stdout)
    assert schema == CampaignSpec.model_json_schema()
    published = Path(__file__).parents[2] / "docs" / "reference" / "campaign.schema.json"
    assert json.loads(published.read_text()) == schema, "aiida-rewire campaign new --schema > the file"
    assert list(tmp_path.iterdir()) == []


def test_a_good_file_is_summed_up(run: Run) -> None:
    run("new", "a.yaml", "--protocol", "demo")
    said = run("check", "a.yaml", "--offline").output
    # one voltage, two seeds; 1.8 ps every 0.2 ps; two chains at a time, of 2 jobs and 9 slots each
    assert said == "silver: 2 chains, 20 snapshots; up to 4 jobs at once, and 18 slots of the daemon\n"
    assert json.loads(run("check", "a.yaml", "--offline", "--json").stdout) == {
        "ok": True,
        "errors": [],
        "label": "silver",
        "digest": digest_of(read_campaign(Path("a.yaml"))),
        "chains": 2,
        "snapshots": 20,
        "jobs_at_once": 4,
        "slots": 18,
    }


def test_a_wrong_file_ends_with_every_error(run: Run) -> None:
    run("new", "a.yaml", "--protocol", "demo")
    text = Path("a.yaml").read_text()
    for old, new in (("gap: null", "gap: 6 nm"), ("lanes: null", "lane: 2"), ("attempts: 2", "attempts: 0")):
        text = text.replace(old, new)
    Path("a.yaml").write_text(text)
    keys = ("  gap:", "  lane:", "  attempts:")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(keys)]
    wanted = [
        f"a.yaml:{lines[0]}: tips.gap = '6 nm': must be a number in Å; write 60, without a unit",
        f"a.yaml:{lines[1]}: snapshots.lane = 2: must be a known key; did you mean lanes?",
        f"a.yaml:{lines[2]}: retries.attempts = 0: must be from 1 to 20; correct it",
    ]
    result = run("check", "a.yaml", "--offline", status=1)
    assert result.stderr.splitlines() == [*wanted, "Error: 3 errors in a.yaml"]
    assert result.stdout == ""
    assert json.loads(run("check", "a.yaml", "--offline", "--json", status=1).stdout) == {
        "ok": False,
        "errors": wanted,
    }


def test_what_is_no_file_ends_in_a_line(run: Run, tmp_path: Path) -> None:
    assert "none.yaml:1: cannot be read: No such file" in run("check", "none.yaml", status=1).output
    (tmp_path / "a.yaml").write_bytes(b"\0\xff")
    assert "a.yaml:1: byte 1 is no UTF-8" in run("check", "a.yaml", status=1).output
    strange = tmp_path / "new\nline\x1b[31m.yaml"
    strange.write_text("[]")
    for line in run("check", strange, status=1).output.splitlines():
        assert line.isprintable()
    said = run("check", "a.yaml", "--offline", "--directory", "x", status=1).output
    assert "directory = x: must be left out with --offline" in said
    assert not (tmp_path / "x").exists()


def test_what_is_wrong_with_a_file_does_not_hide_what_the_database_lacks(run: Run, aiida_profile: Any) -> None:
    run("new", "a.yaml", "--protocol", "demo")
    text = Path("a.yaml").read_text()
    changes = {"localhost": "nowhere", "frozen-d": "none", "pw@nowhere": "pw", "[12.0]": "[99]"}
    for old, new in changes.items():
        text = text.replace(old, new)
    Path("a.yaml").write_text(text)
    said = json.loads(run("check", "a.yaml", "--json", status=1).stdout)["errors"]
    names = [line.split(": ")[1].split(" = ")[0] for line in said]
    # codes.pw = 'pw' is no LABEL@COMPUTER, and the database is not asked about it
    assert names == ["codes.md", "codes.pw", "codes.pp", "codes.pwcond", "pseudo_family", "md.voltages[0]"]
    assert [int(line.split(":")[1]) for line in said] == sorted(int(line.split(":")[1]) for line in said)
