"""Contacts that need a wider cell: which leads are computed, and which a snapshot gets."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common import AttributeDict
from aiida.common.links import LinkType
from aiida.engine import ExitCode
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.junction.assembly import FlatGap
from aiida_rewire.workflows.functions.snapshots import supercell_for
from aiida_rewire.workflows.lane import LaneWorkChain
from aiida_rewire.workflows.rewiring import RewiringWorkChain
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain

pytestmark = pytest.mark.usefixtures("aiida_profile")

LAYERS = {"lattice_constant": 4.16, "lower_layers": 3, "upper_layers": 2}
NEIGHBOURS = 4.16 / np.sqrt(2)
SPACING = 4.16 / np.sqrt(3)
GEOMETRY = {"lower_apex": SPACING, "upper_apex": 7.6 - SPACING}
GAP = FlatGap(0.0, 7.6)


def row(atoms: int) -> np.ndarray:
    """So many neighbours in a row across the current, in the middle of the gap."""
    return np.column_stack([np.arange(atoms) * NEIGHBOURS, np.zeros(atoms), np.full(atoms, 3.8)])


def snapshots_of(supercells: list[int], positions: np.ndarray | None = None) -> orm.TrajectoryData:
    """Snapshots that need these supercells."""
    node = orm.TrajectoryData()
    frames = np.array([row(1) if positions is None else positions] * len(supercells))
    node.set_trajectory(["Ag"] * frames.shape[1], frames, pbc=(False, False, False))
    node.set_array("supercell", np.array(supercells))
    return node


@pytest.mark.parametrize(
    ("atoms", "largest", "needed"),
    [
        # in a cell of N neighbours the end of a row of m is N - m + 1 from the next row's first
        (1, 5, 2),
        (2, 5, 3),
        (2, 2, 0),
        (3, 5, 4),
        (3, 3, 0),
        (4, 5, 5),
    ],
)
def test_a_snapshot_needs_the_least_supercell_that_holds_its_contact(atoms: int, largest: int, needed: int) -> None:
    junction = orm.Dict({**LAYERS, "supercell": 2, "largest_supercell": largest})
    assert supercell_for(row(atoms), GAP, junction) == needed


@pytest.mark.parametrize(("supercell", "name"), [(3, "n3"), (4, "n4"), (10, "n10"), (0, "n3"), (7, "n3")])
def test_a_lane_gives_a_snapshot_the_lattice_and_the_lead_of_its_supercell(supercell: int, name: str) -> None:
    # by text n10 is before n3
    lattices = {f"n{n}": orm.Dict({**LAYERS, "supercell": n}) for n in (10, 3, 4)}
    leads = {key: orm.RemoteData(remote_path=f"/{key}") for key in lattices}
    submitted: dict[str, Any] = {}

    def submit(process: Any, **inputs: Any) -> orm.WorkChainNode:
        submitted.update(inputs, process=process)
        return orm.WorkChainNode()

    lane = SimpleNamespace(
        index=2,
        label=lambda end: {"call_link_label": f"snapshot_0002{end}"},
        inputs=AttributeDict({"snapshots": snapshots_of([9, 9, supercell]), "lattices": lattices, "leads": leads}),
        exposed_inputs=lambda _: AttributeDict({"metadata": {}, "geometry": "of the chain"}),
        submit=submit,
    )
    LaneWorkChain.submit_steps(lane)
    assert submitted["process"] is SnapshotConductanceWorkChain
    assert submitted["index"].value == 2
    assert submitted["lattice"] is lattices[name]
    assert submitted["left_lead_folder"] is leads[name]
    assert submitted["metadata"].call_link_label == "snapshot_0002_steps"
    assert submitted["geometry"] == "of the chain"


@pytest.mark.parametrize(("atoms", "supercell", "status"), [(2, 2, 211), (2, 3, None), (3, 3, 211)])
def test_a_contact_that_fits_nowhere_ends_with_its_exit_code(atoms: int, supercell: int, status: int | None) -> None:
    handed_out: dict[str, orm.Data] = {}
    chain = SimpleNamespace(
        inputs=SimpleNamespace(
            snapshots=snapshots_of([0], row(atoms)),
            index=orm.Int(0),
            geometry=orm.Dict(GEOMETRY),
            lattice=orm.Dict({**LAYERS, "supercell": supercell}),
        ),
        ctx=SimpleNamespace(),
        once=lambda function, _, *arguments: function.run_get_node(*arguments)[1],
        out=handed_out.__setitem__,
    )
    code = SnapshotConductanceWorkChain.assemble(chain)
    if status is None:
        assert code is None
        # five layers and the row, and no boundary layer twice
        assert len(handed_out["structure"].sites) == 5 * supercell**2 + atoms
        return
    assert isinstance(code, ExitCode)
    assert code.status == status == SnapshotConductanceWorkChain.exit_codes.ERROR_CELL_TOO_NARROW.status
    assert handed_out == {}


@pytest.fixture
def chain(
    codes: dict[str, orm.InstalledCode], potential: LammpsPotentialData, upf: Callable[[int], UpfData]
) -> RewiringWorkChain:
    """A chain whose leads may be as wide as six atoms."""
    overrides = {"junction": {"supercell": 3, "largest_supercell": 6}}
    builder = RewiringWorkChain.get_builder_from_protocol(codes, potential, upf(1), overrides=overrides)
    return instantiate_process(get_manager().get_runner(), builder)


def test_a_chain_submits_one_lead_for_each_supercell_that_is_needed(
    chain: RewiringWorkChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: dict[str, Any] = {}

    def submit(_: Any, **inputs: Any) -> orm.WorkChainNode:
        label = inputs["metadata"]["call_link_label"]
        assert label not in submitted
        submitted[label] = inputs["pw"]
        return orm.WorkChainNode(label=label).store()

    monkeypatch.setattr(chain, "submit", submit)
    chain.build()
    assert set(submitted) == {"lead"}
    chain.ctx.snapshots = snapshots_of([3, 5, 0, 4, 5, 3])
    awaited = chain.widen()
    assert set(submitted) == {"lead", "lead_n4", "lead_n5"}
    # three layers each, on a lattice as wide
    assert {label: len(pw["structure"].sites) for label, pw in submitted.items()} == {
        "lead": 27,
        "lead_n4": 48,
        "lead_n5": 75,
    }
    width = {label: float(np.linalg.norm(pw["structure"].cell[0])) for label, pw in submitted.items()}
    assert width == pytest.approx({"lead": 3 * NEIGHBOURS, "lead_n4": 4 * NEIGHBOURS, "lead_n5": 5 * NEIGHBOURS})
    # the chain waits for the first lead as well as for the wider ones
    assert {key: node.label for key, node in awaited.items()} == {
        "lead_n3": "lead",
        "lead_n4": "lead_n4",
        "lead_n5": "lead_n5",
    }
    given = chain.inputs.junction.get_dict()
    assert {name: lattice.get_dict() for name, lattice in chain.ctx.lattices.items()} == {
        f"n{n}": {**given, "supercell": n} for n in (3, 4, 5)
    }
    # made by a function of the chain's own lattice
    assert chain.ctx.lattices["n5"].creator.inputs.junction.uuid == chain.inputs.junction.uuid


def test_a_chain_whose_contacts_all_fit_submits_no_further_lead(
    chain: RewiringWorkChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = orm.WorkChainNode().store()
    chain.ctx.lattices, chain.ctx.lead_pks = {"n3": chain.inputs.junction}, {"n3": lead.pk}
    chain.ctx.snapshots = snapshots_of([3, 0, 3])
    monkeypatch.setattr(chain, "submit", lambda *_, **__: pytest.fail("another lead"))
    assert {key: node.uuid for key, node in chain.widen().items()} == {"lead_n3": lead.uuid}
    assert set(chain.ctx.lattices) == {"n3"}


def test_a_lead_that_somebody_else_was_to_compute_and_did_not_is_computed_here(
    chain: RewiringWorkChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: dict[str, Any] = {}

    def submit(_: Any, **inputs: Any) -> orm.WorkChainNode:
        label = inputs["metadata"]["call_link_label"]
        submitted[label] = inputs["pw"]["structure"].uuid
        return orm.WorkChainNode(label=label).store()

    def lead(exit_status: int, caller: orm.WorkChainNode | None = None) -> orm.WorkChainNode:
        node = orm.WorkChainNode()
        if caller is not None:
            node.base.links.add_incoming(caller, LinkType.CALL_WORK, "lead")
        node.set_process_state("finished")
        node.set_exit_status(exit_status)
        return node.store()

    monkeypatch.setattr(chain, "submit", submit)
    leads = {
        "n3": lead(300, caller=chain.node),
        "n4": lead(300, caller=orm.WorkChainNode().store()),
        # of somebody who ran the SCF by itself
        "n5": lead(300),
        "n6": lead(0),
    }
    cell = np.diag([8.0, 8.0, 7.2]).tolist()
    chain.ctx.lead_structures = {name: orm.StructureData(cell=cell) for name in leads}
    for structure in chain.ctx.lead_structures.values():
        structure.append_atom(position=(0.0, 0.0, 0.0), symbols="Ag")
    chain.ctx.lead_pks = {name: node.pk for name, node in leads.items()}
    chain.ctx.update({f"lead_{name}": node for name, node in leads.items()})
    replaced = chain.replace_leads()
    assert {name: node.label for name, node in replaced.items()} == {
        "lead_n4": "lead_n4_here",
        "lead_n5": "lead_n5_here",
    }
    assert submitted == {f"lead_{name}_here": chain.ctx.lead_structures[name].uuid for name in ("n4", "n5")}
