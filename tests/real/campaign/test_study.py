"""A study of two voltages and two seeds, with the real codes, from its file to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.real.conftest import Ran, run, run_python

pytestmark = [pytest.mark.real, pytest.mark.nightly]

STUDY = """
label: study
protocol: demo
codes: {md: md@localhost, pw: pw@localhost, pp: pp@localhost, pwcond: pwcond@localhost}
pseudo_family: rewire/frozen-d
md: {voltages: [2.0, 12.0], seeds: [1, 2], equilibration_ps: 0.1, production_ps: 0.2}
snapshots: {interval_ps: 0.1, lanes: 1}
limits: {active_chains: 2}
overrides:
  lead: {parameters: {SYSTEM: {ecutwfc: 6.0, ecutrho: 24.0}}}
  scf: {parameters: {SYSTEM: {ecutwfc: 6.0, ecutrho: 24.0}}}
"""
CHAINS = {"2V-s1", "2V-s2", "12V-s1", "12V-s2"}
SNAPSHOTS = 3

FOUND = """
import json
from collections import Counter
from aiida import load_profile, orm
load_profile()
from aiida.plugins import DataFactory
labels = ["attributes.chain", "attributes.snapshot", "attributes.conductance_g0", "attributes.unitarity_max"]
made = orm.QueryBuilder().append(DataFactory("rewire.conductance"), project=labels).all()
processes = orm.QueryBuilder().append(orm.ProcessNode, project="attributes.process_label").all(flat=True)
print(json.dumps({"conductances": made, "processes": Counter(processes)}))
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.yaml").write_text(STUDY)
    for _ in range(2):
        recorded = run(folder, "campaign", "submit", "study.yaml", "--hold", "--directory", ".rewire")
        assert recorded.status == 0, recorded.output
    ran = run(folder, "campaign", "run", "study", "--directory", ".rewire", "--interval", "2")
    assert ran.status == 0, ran.output
    return ran


def found(study: Ran) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run_python(study.folder, FOUND))
    return result


def test_every_snapshot_of_every_chain_has_one_conductance(study: Ran) -> None:
    made = found(study)["conductances"]
    assert sorted((chain, snapshot) for chain, snapshot, _, _ in made) == sorted(
        (chain, snapshot) for chain in CHAINS for snapshot in range(SNAPSHOTS)
    )
    assert all(0 <= conductance < 1 and unitarity <= 1e-3 for _, _, conductance, unitarity in made)


def test_the_lead_is_computed_once_and_a_snapshot_is_one_process(study: Ran) -> None:
    processes = found(study)["processes"]
    assert processes["ExactPwBaseWorkChain"] == 1
    assert processes["JunctionCalculation"] + processes.get("reuse_conductance", 0) == len(CHAINS) * SNAPSHOTS
    # the atoms of equal seeds are the same when the voltage is switched on
    assert processes["reuse_conductance"] >= 2


def test_status_tells_the_truth(study: Ran) -> None:
    told = run(study.folder, "campaign", "status", "study", "--directory", ".rewire", "--json")
    assert told.status == 0, told.output
    chains = {chain["name"]: chain for chain in json.loads(told.output)["chains"]}
    assert set(chains) == CHAINS
    assert all(chain["state"] == "finished" for chain in chains.values())
    assert all(chain["snapshots"]["done"] == SNAPSHOTS for chain in chains.values())


def test_a_second_controller_finds_nothing_to_do(study: Ran) -> None:
    before = found(study)
    again = run(study.folder, "campaign", "run", "study", "--directory", ".rewire")
    assert again.status == 0
    assert found(study) == before


def test_the_table_is_that_of_an_archive_imported_elsewhere(study: Ran, tmp_path: Path) -> None:
    out = run(study.folder, "campaign", "export", "study", "--directory", ".rewire", "--output", "published")
    assert out.status == 0, out.output
    (archive,) = (study.folder / "published").glob("*.aiida")
    there = run(tmp_path, "campaign", "import", str(archive), "--directory", ".rewire")
    assert there.status == 0, there.output
    copied = run(
        tmp_path, "campaign", "export", "study", "--directory", ".rewire", "--no-archive", "--output", "copy"
    )
    assert copied.status == 0, copied.output
    (first,), (second,) = (list(folder.glob("*.csv")) for folder in (study.folder / "published", tmp_path / "copy"))
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_text().splitlines()) == 1 + len(CHAINS) * SNAPSHOTS
