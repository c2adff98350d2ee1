"""The main job as a user sees it: open junctions, contacts, provenance, nothing left running."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest
from tests.real.conftest import Ran, run, run_python

from aiida_rewire.cli.home import Home

pytestmark = pytest.mark.real

EIGHT_MINUTES_S = 480


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trace.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_has_open_junctions_and_contacts_in_time(demo: Ran) -> None:
    transmissions = [float(row["transmission_per_spin"]) for row in rows(demo.folder) if not row["missing"]]
    assert len(transmissions) >= 6
    assert sum(t < 0.05 for t in transmissions) >= 2
    assert sum(t > 0.5 for t in transmissions) >= 2
    assert demo.seconds < EIGHT_MINUTES_S


def test_prints_the_table_and_draws_the_picture(demo: Ran) -> None:
    for words in (
        "time (ps)",
        "stage",
        "bonds",
        "G (µS)",
        "gates",
        "verdi process list",
        "verdi node graph generate",
    ):
        assert words in demo.output
    assert (demo.folder / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert "left" in demo.output, "progress says how long it may take"


def test_leaves_nothing_running(demo: Ran) -> None:
    assert Home.at(demo.folder / ".rewire").leftovers() == []


def test_second_run_shows_what_is_there(demo: Ran) -> None:
    before = rows(demo.folder)
    again = run(demo.folder, "demo")
    assert again.status == 0, again.output
    assert "is there already" in again.output
    assert rows(demo.folder) == before


DERIVE = """
import json
from aiida import load_profile, orm
load_profile()
from aiida.plugins import DataFactory
out = []
for node in orm.QueryBuilder().append(DataFactory("rewire.conductance")).all(flat=True):
    job = node.creator
    snapshots, index = job.inputs.snapshots, job.inputs.assembly["labels"]["snapshot"]
    production = snapshots.creator.inputs.segment_0000.creator
    ends = [job.inputs.lead_readback["layer_potential_ev"], job.outputs.results["layer_potential_ev"]]
    pseudo = job.inputs.pseudos.Ag
    tips = snapshots.creator.inputs.tips
    out.append({
        "stored": {k: v for k, v in node.base.attributes.all.items() if not k.startswith(("array|", "default_"))},
        "derived": {
            "seed": production.inputs.parameters["seed"],
            "voltage_v": production.inputs.parameters["voltage_v"],
            "snapshot": index,
            "step": int(snapshots.get_array("steps")[index]),
            "time_ps": (int(snapshots.get_array("steps")[index]) - int(snapshots.get_array("steps")[0]))
            * production.inputs.parameters["timestep_fs"] / 1000,
            "stage": snapshots.base.attributes.get("stages")[index],
            "min_cut": int(snapshots.get_array("bonds")[index]),
            "gap_left_a": float(snapshots.get_array("gap_left")[index]),
            **{name: int(snapshots.get_array(name)[index])
               for name in ("atoms_in_gap", "filament_atoms", "floating_atoms", "clusters")},
            "atoms_left_out": job.inputs.assembly["atoms_left_out"],
            "fingerprint": job.inputs.assembly["fingerprint"],
            "n_kpoints": len(job.inputs.pwcond.kpoints.get_kpoints()),
            "n_energies": len(job.inputs.pwcond.energies.get_list()),
            "ladder": [{}],
            "potential_mismatch_ev": max(abs(a - b) for a, b in zip(*ends)),
            "pseudo_family": [g.label for g in orm.QueryBuilder().append(orm.Node, filters={"id": pseudo.pk}, tag="n")
                              .append(orm.Group, with_node="n").all(flat=True)][0],
        },
        "made_by": [job.process_label, job.inputs.structure.creator.process_label],
        "tips": [tips.creator.process_label, len(tips.sites)],
        "pseudo_from": pseudo.creator.process_label,
        "read_back": job.inputs.lead_readback.creator.inputs.parent_folder.uuid,
        "joined": job.inputs.left_lead.uuid,
        "difference": job.outputs.results["readback_difference"],
    })
print(json.dumps(out))
"""


def test_every_attribute_follows_from_provenance(demo: Ran) -> None:
    conductances = json.loads(run_python(demo.folder, DERIVE))
    assert len(conductances) == sum(not row["missing"] for row in rows(demo.folder))
    for node in conductances:
        stored, derived = node["stored"], node["derived"]
        assert stored.pop("ladder") == derived.pop("ladder")
        assert {key: stored[key] for key in derived} == pytest.approx(derived)
        # without contact there is no bottleneck
        assert (stored.pop("bottleneck_coordination") is None) == (stored["min_cut"] == 0)
        assert set(stored) - set(derived) == {
            "campaign", "chain", "protocol", "conductance_g0", "transmission_fermi", "unitarity_max"
        }  # fmt: skip
        assert node["tips"] == ["build_tips", 182]
        assert node["pseudo_from"] == "Ld1Calculation"
        assert node["made_by"] == ["JunctionCalculation", "assemble_junctions"]
        # the lead that was read back is the one that pwcond.x joined; the junction's density is right
        assert node["read_back"] == node["joined"]
        assert node["difference"] < 1e-6


def test_query_between_finds_what_the_table_shows(demo: Ran) -> None:
    printed = run_python(demo.folder, f"from aiida import load_profile; load_profile(); exec({QUERY_FILE})")
    wanted = {
        row["conductance_uuid"]
        for row in rows(demo.folder)
        if row["transmission_per_spin"] and 0.8 <= float(row["transmission_per_spin"]) <= 1.2
    }
    assert {line.split()[0] for line in printed.splitlines()} == wanted
    assert wanted


QUERY_FILE = "open('.rewire/between.py').read()"

UNITARITY = """
import numpy as np
from aiida import load_profile, orm
load_profile()
from aiida.plugins import DataFactory
for node in orm.QueryBuilder().append(DataFactory("rewire.conductance")).all(flat=True):
    t, n, u = (node.get_array(name) for name in ("transmission", "channels", "unitarity"))
    assert (t <= n + 1e-3).all() and (t >= 0).all() and (u <= 1e-3).all()
    print(node.conductance_g0, node.conductance_siemens)
"""


def test_stored_conductances_obey_the_invariants(demo: Ran) -> None:
    for line in run_python(demo.folder, UNITARITY).splitlines():
        g0, siemens = map(float, line.split())
        assert math.isclose(siemens, g0 * 7.748091729e-5, rel_tol=1e-8)
