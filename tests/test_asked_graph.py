"""Every query of the page about the graph runs as it stands, and finds in a graph of real nodes what is there."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import DataFactory
from aiida.tools import delete_nodes
from tests.cli.made_dynamics import make_run

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.data.trace import TraceData
from aiida_rewire.transport.landauer import CONDUCTANCE_QUANTUM

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "ask-the-graph.md"

# the page asks a whole database: here one that holds no tests' odd numbers
pytestmark = pytest.mark.nightly

HIGHEST = 97.5
"""T that no other test comes near: the page asks for the highest of the database."""

UPF = '<UPF version="2.0.1"><PP_HEADER element="Ag" z_valence="11.0" comment="{}"/></UPF>'


@dataclass
class Chain:
    """A chain from its force field to its conductances."""

    name: str
    snapshots: Any
    production: Any
    jobs: list[Any] = field(default_factory=list)
    conductances: list[ConductanceData] = field(default_factory=list)


@dataclass
class Graph:
    """Two chains of different force fields and pseudopotentials."""

    label: str
    first: Chain
    second: Chain
    codes: dict[str, orm.InstalledCode]
    trace: TraceData

    @property
    def uuids(self) -> set[str]:
        """Of all conductances."""
        return {node.uuid for chain in (self.first, self.second) for node in chain.conductances}


def made_by(process: Any, label: str, data: Any) -> Any:
    """Store data as an output of a process."""
    data.base.links.add_incoming(process, LinkType.CREATE, label)
    return data.store()


def process_of(kind: type[Any], name: str, inputs: dict[str, Any], **given: Any) -> Any:
    """A stored calculation with its inputs."""
    node = kind(process_type=name, **given)
    node.base.attributes.set("version", {"core": "2.9.4"})
    for label, data in inputs.items():
        node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
    return node.store()


def chain_of(label: str, name: str, potential: Any, pseudo: Any, codes: Any, computer: Any, ts: list[float]) -> Chain:
    """A chain as the workflows leave it: dynamics, snapshots, a job each, conductances."""
    on = {"computer": computer}
    production = process_of(
        orm.CalcJobNode, "aiida.calculations:rewire.md", {"potential": potential, "code": codes["md"]}, **on
    )
    made_by(production, "results", orm.Dict({"lammps_version": "22 Jul 2025"}))
    # the trajectory of a single job has no stages
    dump = orm.TrajectoryData()
    dump.set_trajectory(["Ag"], np.zeros((1, 1, 3)), stepids=np.array([0]), pbc=(False,) * 3)
    segment = made_by(production, "trajectory", dump)
    extract = process_of(orm.CalcFunctionNode, "aiida_rewire.extract_snapshots", {"segment_0000": segment})
    frames = orm.TrajectoryData()
    frames.set_trajectory(["Ag"], np.zeros((1, 1, 3)), stepids=np.array([0]), pbc=(False,) * 3)
    frames.base.attributes.set("stages", ["contact"])
    chain = Chain(name, made_by(extract, "snapshots", frames), production)
    inputs = {
        "snapshots": chain.snapshots,
        "pseudos__Ag": pseudo,
        "code": codes["pw"],
        "pwcond_code": codes["pwcond"],
    }
    for place, transmission in enumerate(ts):
        job = process_of(orm.CalcJobNode, "aiida.calculations:rewire.junction", inputs, **on)
        made_by(job, "output_parameters", orm.Dict({"pwcond_version": "6.7MaX"}))
        energies = np.linspace(0.5, -0.5, 11)
        conductance = ConductanceData.from_transmission(
            energies=energies,
            transmission=np.full((11, 1), transmission),
            kpoints=np.zeros((1, 2)),
            weights=np.ones(1),
            channels=np.full((11, 1), 200),
            unitarity=np.zeros((11, 1)),
            labels={"campaign": label, "chain": name, "time_ps": 0.1 * place, "snapshot": place, "protocol": "demo"},
        )
        chain.jobs.append(job)
        chain.conductances.append(made_by(job, "conductance", conductance))
    return chain


@pytest.fixture(scope="module")
def graph(potential: Any) -> Iterator[Graph]:
    """The graph that is asked; its conductances go when all was asked, for others may look at the whole database."""
    label = f"graph-{uuid.uuid4().hex[:8]}"
    other = DataFactory("lammps.potential").get_or_create(
        source=io.BytesIO(f"another force field, {label}\n".encode()),
        filename="other.txt",
        pair_style="reaxff",
        species=["Ag"],
        atom_style="charge",
        units="real",
    )
    upf = DataFactory("pseudo.upf")
    frozen, full = (
        upf(io.BytesIO(UPF.format(label + name).encode()), filename=name).store()
        for name in ("Ag.frozen-d.UPF", "Ag.full.UPF")
    )
    computer = orm.Computer(
        label=label, hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    ).store()
    codes = {
        name: orm.InstalledCode(
            label=f"{name}-{label}", computer=computer, filepath_executable=f"/opt/{name}"
        ).store()
        for name in ("md", "pw", "pwcond")
    }
    first = chain_of(label, "2V-s1", potential, frozen, codes, computer, [0.02, 1.03, HIGHEST])
    second = chain_of(label, "8V-s1", other, full, codes, computer, [0.95, 1.08, 2.0])
    rng = np.random.default_rng(0)
    rows: list[Any] = [
        {
            **{"time_ps": 0.1 * place, "step": place, "bonds": 1, "gap_left_a": 0.0, "unitarity": 0.0},
            **{"conductance_g0": value, "stage": "contact", "conductance_uuid": "", "reused_from": "", "missing": ""},
        }
        for place, value in enumerate(rng.normal(1.0, 0.02, 200).tolist())
    ]
    trace = TraceData.from_rows(rows, {"campaign": label, "chain": "2V-s1"}).store()
    make_run(potential, f"{label}/2V-s1", seed=1, first=0.75)
    make_run(potential, f"{label}/8V-s1", seed=2, voltage_v=8.0)
    yield Graph(label, first, second, codes, trace)
    delete_nodes([node.pk for chain in (first, second) for node in chain.conductances], dry_run=False)


@pytest.fixture(scope="module")
def answers(graph: Graph) -> dict[str, Any]:
    """What every variable of the page is after its blocks have run in their order, in one namespace."""
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)  # noqa: S102 (the page's own code)
    assert len(blocks) >= 10
    return names


def test_conductances_of_a_force_field(graph: Graph, answers: dict[str, Any]) -> None:
    found = {key: value for key, value in answers["of_force_field"].items() if key in graph.uuids}
    assert found == {node.uuid: node.conductance_g0 for node in graph.first.conductances}
    # another one stands in the list of all
    assert len(answers["force_fields"]) >= 2


def test_trajectories_that_led_to_t_near_one(graph: Graph, answers: dict[str, Any]) -> None:
    first, second = (answers["near_one_in"][chain.snapshots.uuid] for chain in (graph.first, graph.second))
    assert first == [(pytest.approx(0.1), pytest.approx(1.03))]
    assert sorted(second) == [(0.0, pytest.approx(0.95)), (pytest.approx(0.1), pytest.approx(1.08))]
    # the dump of the job is no trajectory with stages
    dumps = {one.uuid for one in graph.first.production.outputs if isinstance(one, orm.TrajectoryData)}
    assert not dumps & set(answers["near_one_in"])


def test_all_that_depends_on_a_pseudopotential(graph: Graph, answers: dict[str, Any]) -> None:
    found = set(answers["dependent"])
    chain = graph.first
    assert {node.uuid for node in (*chain.jobs, *chain.conductances)} <= found
    assert not {node.uuid for node in (*graph.second.jobs, *graph.second.conductances)} & found
    # what went before does not depend on it
    assert not {chain.snapshots.uuid, chain.production.uuid} & found


def test_who_ran_it_with_which_versions(graph: Graph, answers: dict[str, Any]) -> None:
    chain = graph.first
    assert answers["highest"] == chain.conductances[2].uuid
    email = chain.production.user.email
    junction, md = "aiida.calculations:rewire.junction", "aiida.calculations:rewire.md"
    rows = [(chain.production, md, "md"), (chain.jobs[2], junction, "pw"), (chain.jobs[2], junction, "pwcond")]
    assert sorted(answers["who"]) == sorted(
        [job.uuid, kind, email, graph.codes[name].label, f"/opt/{name}"] for job, kind, name in rows
    )
    assert dict(answers["versions"]) == {
        md: {"aiida-core 2.9.4", "22 Jul 2025"},
        junction: {"aiida-core 2.9.4", "6.7MaX"},
    }


def test_numbers_behind_the_figures(graph: Graph, answers: dict[str, Any]) -> None:
    by_chain = answers["by_chain"]
    assert sorted(by_chain[graph.label, "2V-s1"]) == [pytest.approx(0.02), pytest.approx(1.03), HIGHEST]
    assert sorted(by_chain[graph.label, "8V-s1"]) == [pytest.approx(t) for t in (0.95, 1.08, 2.0)]
    wanted = [0.0, pytest.approx(0.1 * HIGHEST * CONDUCTANCE_QUANTUM)]
    assert answers["current"].tolist() == wanted
    assert answers["stored"].get_array("current_a").tolist() == wanted
    assert answers["stored"].creator.inputs.conductance.uuid == graph.first.conductances[2].uuid
    (plateau,) = answers["noises"][graph.trace.uuid]
    assert plateau.fluctuation.relative == pytest.approx(0.02, rel=0.2)


def test_times_to_contact(graph: Graph, answers: dict[str, Any]) -> None:
    found = [tuple(row) for row in answers["contacts"] if row[0].startswith(f"{graph.label}/")]
    assert sorted(found) == [(f"{graph.label}/2V-s1", 2.0, 1, 0.75), (f"{graph.label}/8V-s1", 8.0, 2, None)]
