"""What all result commands share: what they select, what they refuse, and where their answers go."""

from __future__ import annotations

import csv
import json
import math
import uuid
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from aiida import orm
from tests.campaign.made_conductances import make_chain, make_conductance
from tests.cli.invoking import invoke

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.output import Answer, Output, give, output_options
from aiida_rewire.cli.results.selecting import Wanted, selected_by, selection_options, selection_options_but
from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.report.caption import caption_of
from aiida_rewire.report.style import new_figure


@click.command("look")
@selection_options
@output_options
def look(wanted: Wanted, output: Output) -> None:
    """Draw T, and tell it."""
    with selected_by(wanted) as found:

        def draw() -> Any:
            figure = new_figure(output.width)
            figure.subplots().plot(found.time_ps, found.transmission)
            return figure

        answer = Answer(
            values={"t": found.transmission, "uuid": found.uuid, "nothing": math.nan},
            sheets=[
                Sheet(
                    ("chain", ">T"), [(c, f"{t:.2f}") for c, t in zip(found.chain, found.transmission, strict=True)]
                )
            ],
            columns=("chain", "transmission", "seed"),
            rows=zip(found.chain, found.transmission, [*found.seed[:-1], math.nan], strict=True),
            draw=draw,
            caption=lambda: caption_of(found, "T against time.", selection=wanted.selection),
        )
        give(answer, output)


@pytest.fixture(scope="module")
def label(aiida_profile: object) -> str:
    """Campaign with two chains, two protocols, a conductance that is void and one that is there twice."""
    label = f"results-{uuid.uuid4().hex[:8]}"
    for chain, volts in (("2V-s1", 2.0), ("8V-s1", 8.0)):
        make_chain(label, chain)
        for snapshot in (2, 0, 1):
            stage, bonds = (("gap", 0), ("contact", 1), ("growth", 3))[snapshot]
            make_conductance(
                label, chain, snapshot, 0.5 * snapshot + 0.01, voltage_v=volts, stage=stage, min_cut=bonds
            )
    make_conductance(label, "8V-s1", 2, 6.0)
    make_conductance(label, "2V-s1", 3, 1.5, protocol="paper")
    make_conductance(label, "2V-s1", 4, 5.0).base.extras.set(VOID_EXTRA, "a test")
    return label


def found(*arguments: object) -> list[float]:
    return [round(value, 2) for value in json.loads(invoke(look, *arguments, "--json").stdout)["t"]]


def test_each_option_narrows(label: str) -> None:
    of = ("--campaign", label)
    assert found(*of, "--mixed") == [0.01, 0.51, 1.01, 1.5, 0.01, 0.51, 1.01]
    assert found(*of, "--protocol", "demo") == [0.01, 0.51, 1.01, 0.01, 0.51, 1.01]
    assert found(*of, "--protocol", "paper") == [1.5]
    assert found(*of, "--chain", "8V-s1") == found(*of, "--voltage", 8) == [0.01, 0.51, 1.01]
    assert found(*of, "--between", 0.5, 1.2) == [0.51, 1.01, 0.51, 1.01]
    assert found(*of, "--stage", "growth") == found(*of, "--bonds", 3, "--protocol", "demo") == [1.01, 1.01]


def test_of_a_snapshot_that_is_there_twice_the_first_counts_and_runs_without_names_are_several(label: str) -> None:
    # 6.0 is the second of its snapshot
    assert 6.0 not in found("--campaign", label, "--mixed")
    protocol = f"alone-{uuid.uuid4().hex[:8]}"
    for value in (0.25, 0.75):
        make_conductance("", "", 0, value, protocol=protocol)
    assert found("--protocol", protocol) == [0.25, 0.75]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), ["protocol = demo (6), paper (1): must be one", "--protocol NAME", "--mixed"]),
        (("--chain", "9V-s1"), ["chain = '9V-s1'", "there is 8V-s1, 2V-s1"]),
        (("--voltage", 3), ["voltage = 3 V", "7 conductances; T from 0.01 to 1.5", "2 V (4), 8 V (3)", "gap (2)"]),
        (("--between", 2, 1), ["between = 2 1", "swap"]),
        (("--between", "nan", 1), ["between = nan 1"]),
        (("--bonds", 2), ["bonds = 2", "bonds 0 (2), 1 (2), 3 (3)", "protocols demo (6), paper (1)"]),
        (("--protocol", "best"), ["protocol = 'best'", "protocols demo (6), paper (1)"]),
    ],
)
def test_what_is_refused_says_what_there_is(label: str, arguments: tuple[object, ...], said: list[str]) -> None:
    refused = invoke(look, "--campaign", label, *arguments, status=1)
    assert refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1
    for text in said:
        assert text in refused.stderr


def test_an_unknown_campaign_gives_the_nearest_names(label: str) -> None:
    near = f"{label[:-1]}X"
    said = invoke(look, "--campaign", near, status=1).stderr
    assert f"campaign = '{near}': must be one of the profile's; there is {label}" in said


def test_options_can_be_left_out() -> None:
    command = click.command("c")(selection_options_but("between", "stage")(lambda wanted: print(wanted.voltage)))
    assert "--between" not in invoke(command, "--help").output
    assert invoke(command, "--voltage", "2").output == "2.0\n"


def test_the_answer_goes_where_it_was_asked_for(label: str, tmp_path: Path) -> None:
    of = ("--campaign", label, "--chain", "8V-s1")
    table = invoke(look, *of).stdout.splitlines()
    assert [line.split() for line in table] == [["chain", "T"], *([["8V-s1", t] for t in ("0.01", "0.51", "1.01")])]
    rows = list(csv.DictReader(invoke(look, *of, "--csv", "-").stdout.splitlines()))
    assert [float(row["transmission"]) for row in rows] == [0.01, 0.51, 1.01]
    assert [row["seed"] for row in rows] == ["1.0", "1.0", ""]
    file, picture = tmp_path / "t.csv", tmp_path / "t.svg"
    answer = json.loads(invoke(look, *of, "--csv", file, "-o", picture, "--json").stdout)
    assert answer["nothing"] is None
    assert answer["files"] == [str(file), str(picture), str(tmp_path / "t.caption.md")]
    assert len(file.read_text().splitlines()) == 4
    caption = (tmp_path / "t.caption.md").read_text()
    for text in ("3 conductances of 1 chain", "matplotlib", *answer["uuid"], f"--campaign {label} --chain 8V-s1"):
        assert text in caption
    chain = orm.QueryBuilder().append(orm.WorkChainNode, filters={"label": f"{label}/8V-s1"}, project="uuid").one()[0]
    assert chain in caption


def test_files_that_are_there_stay(label: str, tmp_path: Path) -> None:
    picture = tmp_path / "t.png"
    picture.write_text("mine")
    said = invoke(look, "--campaign", label, "-o", picture, status=1).stderr
    assert f"output = {picture}: must be new" in said
    assert picture.read_text() == "mine"
    invoke(look, "--campaign", label, "--chain", "8V-s1", "-o", picture, "--force")
    assert picture.read_bytes().startswith(b"\x89PNG")
    for name, text in (("t.gif", ".png, .svg, .pdf"), ("no/t.png", "in a folder that exists")):
        assert text in invoke(look, "-o", tmp_path / name, status=1).stderr
    assert "standard output" in invoke(look, "--json", "--csv", "-", status=1).stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.caption.md", "t.png"]


def test_what_is_none_is_null_and_arrays_are_lists() -> None:
    from aiida_rewire.cli.results.output import json_ready

    ready = json_ready({"a": np.array([1.0, math.nan]), 2: (np.int64(3), math.inf, None, Path("x"))})
    assert ready == {"a": [1.0, None], "2": [3, None, None, "x"]}
