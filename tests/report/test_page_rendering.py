"""The page as a file: numbers as they were, texts as texts, nothing from elsewhere, small."""

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from made_reports import made_failure, made_report

from aiida_rewire.report.page.citing import citations_in
from aiida_rewire.report.page.model import Counts, Report
from aiida_rewire.report.page.rendering import Refresh, policy_of, render, style_and_script, version_of
from aiida_rewire.report.page.statistics import counts_of, stage_rows

VOID = {"meta", "link", "input", "br", "img"}


class Reader(HTMLParser):
    """Notes what is in a page, and what is closed that is not open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.inside: dict[str, list[str]] = {}
        self.policy = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.inside.setdefault(self.open[-1], []).append(data)


@pytest.fixture(scope="module")
def report() -> Report:
    return made_report()


def numbers_in(html: str, name: str) -> Any:
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)[1])


def test_the_page_is_sound_html_and_names_no_other_address(report: Report) -> None:
    read = Reader(render(report))
    assert [one for one in read.addresses if not one.startswith("#")] == [
        "data:,",
        "https://doi.org/10.1039/d3nh00476g",
    ]
    style, script = style_and_script()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", style + script)
    assert "</" not in script.replace("</script", "")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function", script)


def test_its_policy_lets_its_own_script_and_style_run_and_no_other(report: Report) -> None:
    read = Reader(render(report))
    script = read.inside["script"][-1]
    for text in (script, *read.inside["style"]):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in read.policy
    assert "default-src 'none'" in read.policy
    assert "unsafe" not in read.policy
    assert "connect-src" not in read.policy
    assert policy_of(served=True) == f"{read.policy}; connect-src 'self'"


def test_numbers_are_those_of_the_campaign(report: Report) -> None:
    html = render(report)
    data, bulk = numbers_in(html, "data"), numbers_in(html, "bulk")
    for number, chain in enumerate(report.chains):
        shown = data["chains"][number]
        for place, point in enumerate(chain.points):
            assert shown["time"][place] == point.time_ps
            assert shown["uuid"][place] == point.uuid
            if point.conductance_g0 is None:
                assert shown["g"][place] is None
                assert shown["missing"][str(place)] == point.missing
                continue
            assert shown["g"][place] == pytest.approx(point.conductance_g0, rel=1e-5)
            grid, coded = bulk["chains"][number]["spectra"][str(place)]
            assert bulk["energies"][grid] == pytest.approx(report.spectra.energies[0])
            transmission = np.frombuffer(base64.b64decode(coded), "<f4")
            assert transmission == pytest.approx(report.spectra.of[point.pk][1], rel=1e-6)
            cell, coded = bulk["chains"][number]["atoms"][str(place)]
            kept = bulk["cells"][cell]
            atoms = [np.frombuffer(base64.b64decode(text), "<i2").reshape(-1, 3) for text in (kept["shared"], coded)]
            places = np.concatenate(atoms) * kept["grid"] + np.array(kept["centre"])
            assert places == pytest.approx(report.junctions.positions(point.pk), abs=1e-4)


def test_what_is_no_number_is_written_as_missing(report: Report) -> None:
    chain = report.chains[0]
    odd = replace(chain.points[0], unitarity=math.nan, mismatch_ev=math.inf)
    html = render(replace(report, chains=(replace(chain, points=(odd,)),)))
    shown = numbers_in(html, "data")["chains"][0]
    assert (shown["unitarity"], shown["mismatch"]) == ([None], [None])


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "<!--", "\"'&"]
)
def test_texts_never_become_markup(report: Report, text: str) -> None:
    chain = report.chains[0]
    points = (replace(chain.points[0], uuid=text, stage=text, reused_from=text), *chain.points[1:])
    hostile = replace(
        report,
        **dict.fromkeys(("label", "uuid", "description", "made_at", "profile", "source", "digest"), text),
        versions={text: text, "codes": {text: {"uuid": text, "executable": text}}},
        amendments=({"by": text, "time": text, "added": [text], "changed": {text: [1, 2]}},),
        chains=(
            replace(chain, uuid=text, points=points, progress=replace(chain.progress, name=text, notes=(text,))),
        ),
        failures=(made_failure(text),),
        notes=(text,),
    )
    plain, odd = Reader(render(report)), Reader(render(hostile))
    assert len(odd.inside["script"]) == len(plain.inside["script"])
    assert odd.addresses == plain.addresses
    assert odd.inside["title"][0].startswith(text)
    assert numbers_in(render(hostile), "data")["chains"][0]["uuid"][0] == text


def test_a_version_changes_with_what_is_shown_and_not_with_the_hour(report: Report) -> None:
    same = version_of(report)
    assert version_of(replace(report, made_at="2030-01-01T00:00:00+00:00")) == same
    chain = report.chains[0]
    other = replace(chain, points=(replace(chain.points[0], conductance_g0=0.5), *chain.points[1:]))
    assert version_of(replace(report, chains=(other, *report.chains[1:]))) != same
    assert version_of(replace(report, failures=())) != same
    # nobody wants a page to be loaded again for what it does not show
    unseen = replace(chain, progress=replace(chain.progress, jobs={"queued": 3}))
    assert version_of(replace(report, chains=(unseen, *report.chains[1:]))) == same
    assert f'data-version="{same}" data-refresh-s="30.0"' in render(report, Refresh(same, 30.0))
    assert "data-version" not in render(report)


def test_stages_and_bins_hold_every_conductance(report: Report) -> None:
    values = [point.conductance_g0 for chain in report.chains for point in chain.points if point.conductance_g0]
    rows = stage_rows(report.chains)
    assert [row.stage for row in rows] == ["gap", "islands", "contact", "growth"]
    assert sum(row.number for row in rows) == len(values)
    assert max(row.largest_g0 for row in rows) == max(values)
    counts = counts_of(report.chains)
    assert counts is not None
    assert sum(int(one.sum()) for one in counts.chains.values()) == len(values)
    assert counts.edges_g0[1] == pytest.approx(0.05)
    assert counts_of(made_report(computed=False).chains) is None


@pytest.mark.parametrize("largest", [0.0, 1.5, 3.0, 49.99, 500.0])
def test_bins_reach_beyond_the_largest_conductance(report: Report, largest: float) -> None:
    chain = replace(report.chains[0], points=(replace(report.chains[0].points[0], conductance_g0=largest),))
    counts: Counts | None = counts_of([chain])
    assert counts is not None
    inside = int(counts.chains[chain.name].sum())
    assert inside == (largest < 50.0)


def test_citations_come_from_the_file() -> None:
    found = citations_in(
        "title: a\nversion: 1\nauthors:\n  - name: we\nreferences:\n  - title: b\n    journal: J\n    volume: 2\n"
        "    start: 3\n    year: 4\n    doi: 10.1/x\n    authors: [{given-names: A., family-names: B}]\n"
    )
    assert [one.text for one in found] == ["we. a. version 1", "A. B. b. J 2, 3 (4)"]
    assert found[1].doi == "10.1/x"
