"""Measured points and junctions on either kind of database, by the commands as they are typed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.real.database.databases import BEGIN, POSTGRESQL, SQLITE, Database

pytestmark = [pytest.mark.real, pytest.mark.nightly]

JUNCTIONS = f"""{BEGIN}
import numpy as np
from tests.database.junction_provenance import in_one_job, in_separate_jobs, structure, taken_over
_, computer = orm.Computer.collection.get_or_create(
    label="c", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
)
computer.store()
atoms = structure(np.array([[0.0, 0.0, 2.0 * n] for n in range(4)]), np.eye(3) * 9)
labels = {{"campaign": "silver", "chain": "8V-s1", "voltage_v": 8.0, "protocol": "demo", "stage": "contact"}}
one = in_one_job(atoms, computer, 0.97, **labels, snapshot=0, time_ps=0.1, min_cut=1)
in_separate_jobs(atoms, computer, 1.02, **labels, snapshot=1, time_ps=0.2, min_cut=1)
taken_over(one, **labels, snapshot=2, time_ps=0.3, min_cut=2)
print(atoms.uuid)
"""


def answer(database: Database, *arguments: object) -> Any:
    """What a command answers in JSON."""
    command = (sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", *map(str, arguments))
    done = database.profile.command(*command, "--profile", database.name, "--json", timeout_s=120)
    assert done.status == 0, done.errors
    return json.loads(done.output)


@pytest.mark.parametrize("kind", [SQLITE, POSTGRESQL])
def test_a_fit_and_what_it_corrects_are_found_again(
    kind: str, make_on: Callable[[str, str], Database], tmp_path: Path
) -> None:
    database = make_on(kind, f"measured_{kind}")
    rng = np.random.default_rng(0)
    lines = ["cycle,conductance_G0"]
    for cycle in range(10):
        junction = np.repeat([1.0, 2.0, 3.0] * np.exp(rng.normal(0, 0.01, 3)), 300) + rng.normal(0, 0.06, 900)
        lines += [f"{cycle},{g:.6g}" for g in (1 / (1 / junction + 300 * 7.748091729e-5)).tolist()]
    path = tmp_path / "wire.csv"
    path.write_text("\n".join(lines))
    arguments = ("measured", "import", path, "--device", "A", "--fit-series-resistance")
    first = answer(database, *arguments)
    assert first["files"][0]["stored"]
    again = answer(database, *arguments)
    assert again["fit"]["uuid"] == first["fit"]["uuid"]
    assert [one["stored"] for one in (*again["files"], *again["corrected"])] == [False, False]
    listed = answer(database, "measured", "list", "--device", "A")["measurements"]
    assert [row["series_resistance_ohm"] for row in listed] == [first["fit"]["ohm"], None]
    assert listed[0]["measured_as"] == listed[1]["uuid"]
    assert answer(database, "measured", "list", "--device", "B")["measurements"] == []
    peaks = answer(database, "measured", "histogram", "--corrected")["peaks"]
    assert [peak["position_g0"] for peak in peaks] == pytest.approx([1, 2, 3], abs=0.05)

    atoms = database.python(JUNCTIONS).strip().splitlines()[-1]
    found = answer(database, "structures", "list", "--between", 0.9, 1.1, "--bonds", 1)["structures"]
    assert [(row["structure_uuid"], row["snapshot"]) for row in found] == [(atoms, 0), (atoms, 1)]
    written = answer(database, "structures", "export", tmp_path / "out")["files"]
    assert [one["structure_uuid"] for one in written] == [atoms] * 3
    database.python(f"{BEGIN}\nfrom tests.database.junction_checks import check_all\ncheck_all()")
