"""From the database to the page: each way from a conductance to its atoms, and few queries for many snapshots."""

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from filmed import FIRST_CONTACT_PS, Filmed
from made_junctions import ENERGIES, made_junction, made_transmission
from sqlalchemy import event
from tests.database.junction_provenance import in_one_job, in_separate_jobs, taken_over

from aiida_rewire.campaign.record import find_campaign, record_campaign
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.database.tables import profile_tables
from aiida_rewire.report.page.facts import energies_text, voltage_text
from aiida_rewire.report.page.gathering import gather, thinned
from aiida_rewire.report.page.model import ChainOnPage, Report
from aiida_rewire.report.page.points import Computed, Point
from aiida_rewire.report.page.spectra import spectra_of
from aiida_rewire.report.page.structures import AT_A_TIME, packed_junctions

sys.path.append(str(Path(__file__).parents[1] / "campaign"))

from made_conductances import end_process, make_chain, make_conductance
from small_campaigns import make_spec
from synthetic import STORIES, synthetic_campaign
from synthetic_tables import Made

SNAPSHOTS = 24
CHAINS = len(STORIES) + 2
MOST_QUERIES = 120


@pytest.fixture(scope="module")
def made(aiida_profile: Any) -> Iterator[Made]:
    """A campaign of chains in all states, with atoms and T(E)."""
    with synthetic_campaign(chains=CHAINS, snapshots=SNAPSHOTS, kind=Filmed) as campaign:
        yield campaign


@pytest.fixture(scope="module")
def report(made: Made) -> Report:
    """What stands on its page."""
    return gather(find_campaign(made.label))


def chain_of(report: Report, made: Made, state: str, step: str | None, attempts: int = 1) -> ChainOnPage:
    name = next(
        name for name, one in made.chains.items() if (one.state, one.step, one.attempts) == (state, step, attempts)
    )
    return next(chain for chain in report.chains if chain.name == name)


def statements_of(action: Callable[[], Any]) -> list[str]:
    """The statements that go to the database."""
    engine = get_manager().get_profile_storage().get_session().get_bind()
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return statements


def test_every_conductance_has_its_point_its_spectrum_and_its_atoms(report: Report, made: Made) -> None:
    for chain in report.chains:
        computed = [point for point in chain.points if point.uuid]
        assert len(computed) == made.chains[chain.name].snapshots["done"]
        for point in computed:
            random = np.random.default_rng(1000 + point.snapshot)
            expected = made_transmission(point.snapshot / (SNAPSHOTS - 1), random)
            assert point.conductance_g0 == pytest.approx(expected[20])
            assert point.time_ps == pytest.approx(0.2 * point.snapshot)
            grid, transmission = report.spectra.of[point.pk]
            assert np.allclose(report.spectra.energies[grid], ENERGIES)
            assert np.allclose(transmission, expected)
    finished = chain_of(report, made, "finished", None)
    direct = [point for point in finished.points if point.snapshot % 20 not in (7, 9)]
    for point in direct:
        cell, positions = made_junction(point.snapshot / (SNAPSHOTS - 1), np.random.default_rng(point.snapshot))
        there = report.junctions.positions(point.pk)
        assert len(there) == len(positions)
        assert np.linalg.norm(there[:, None] - positions[None], axis=-1).min(axis=0).max() < 1e-3
        assert np.allclose(report.junctions.cells[report.junctions.of[point.pk][0]].cell, cell)


def test_taken_over_and_mended_conductances_are_points_as_well(report: Report, made: Made) -> None:
    finished = chain_of(report, made, "finished", None)
    assert [point.snapshot for point in finished.points if point.reused_from] == [9]
    assert len(finished.points) == SNAPSHOTS
    assert all(not point.missing for point in finished.points)


def test_a_snapshot_without_a_conductance_says_why_or_that_it_is_to_come(report: Report, made: Made) -> None:
    lost = next(
        chain for chain in report.chains if chain.progress.exit_status == 500 and chain.progress.state.is_over
    )
    assert {point.snapshot: point.missing for point in lost.points if not point.uuid} == {
        1: "rewire.junction [330] ERROR_UNITARITY",
        2: "rewire.junction [330] ERROR_UNITARITY",
    }
    orphaned = next(chain for chain in report.chains if chain.progress.notes)
    waiting = [point for point in orphaned.points if not point.uuid]
    assert len(waiting) == SNAPSHOTS - 3
    assert {point.missing for point in waiting} == {""}
    # bonds and times are known of what is still to be computed
    assert [point.time_ps for point in waiting] == pytest.approx([0.2 * point.snapshot for point in waiting])
    assert waiting[-1].bonds > 4
    assert (waiting[-1].stage, waiting[0].stage) == ("growth", "gap")
    assert orphaned.first_contact_ps == FIRST_CONTACT_PS


def test_the_rest_of_the_page_is_what_other_commands_say(report: Report, made: Made) -> None:
    assert {chain.name: chain.progress.state for chain in report.chains} == {
        name: one.state for name, one in made.chains.items()
    }
    assert {(row.kind.plugin, row.kind.exit_status or row.kind.state): row.count for row in report.failures} == dict(
        made.failures
    )
    assert sum(row.number for row in report.stages) == sum(one.snapshots["done"] for one in made.chains.values())
    assert report.counts is not None
    assert report.cost.reused == sum(one.snapshots["reused"] for one in made.chains.values())
    facts = dict(report.facts)
    assert (facts["protocol"], facts["voltages"], facts["snapshots"]) == ("demo", "8 V", "every 0.2 ps")
    assert facts["dynamics"] == "800 K, steps of 1 fs, 1 ps at 0 V, 4.6 ps under the voltage"
    assert report.source == f"label: {made.label}\n"
    assert report.versions["aiida-core"]
    assert report.citations[1].doi == "10.1039/d3nh00476g"
    attempts = {chain.uuid for chain in report.chains if chain.uuid}
    assert len(attempts) == sum(bool(one.attempts) for one in made.chains.values())


def test_as_many_queries_for_many_snapshots_as_for_few(aiida_profile: Any, made: Made) -> None:
    few = statements_of(lambda: gather(find_campaign(made.label)))
    with synthetic_campaign(chains=CHAINS, snapshots=2 * SNAPSHOTS, kind=Filmed) as more:
        many = statements_of(lambda: gather(find_campaign(more.label)))
        conductances = sum(one.snapshots["done"] for one in more.chains.values())
    assert len(few) <= MOST_QUERIES
    # structures alone are read some at a time
    assert len(many) - len(few) <= conductances // AT_A_TIME
    # a node that is loaded comes with all its columns, and nothing is but examples of failures
    loaded = [[one for one in those if "repository_metadata" in one and "attributes" in one] for those in (few, many)]
    assert len(loaded[0]) == len(loaded[1])


def test_a_campaign_that_nobody_started_has_a_page(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "label: x\n")
    found = gather(group)
    assert found.counts is None
    assert [chain.points for chain in found.chains] == [(), ()]
    assert found.junctions.of == {}


def test_conductances_of_other_chains_are_told_of(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    make_conductance(group.label, "by-hand", 0)
    make_conductance(group.label, "2V-s1", 0)
    found = gather(group)
    assert found.notes == ("1 conductances of chains that the file does not name are not shown: by-hand",)
    assert [len(chain.points) for chain in found.chains] == [1, 0]


def test_a_conductance_that_does_not_count_is_not_shown(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    first, second = (make_conductance(group.label, "2V-s1", 0, value) for value in (0.1, 0.2))
    assert gather(group).chains[0].points[0].uuid == first.uuid
    first.base.extras.set("rewire_void", "wrong force field")
    assert gather(group).chains[0].points[0].uuid == second.uuid


def structure(seed: int) -> orm.StructureData:
    cell, positions = made_junction(0.5, np.random.default_rng(seed))
    node = orm.StructureData(cell=cell.tolist())
    for position in positions.tolist():
        node.append_atom(position=position, symbols="Ag")
    return node


def conductance() -> ConductanceData:
    return ConductanceData.from_transmission(
        energies=[0.5, 0.0],
        transmission=[[1.0, 0.5], [0.8, 0.4]],
        kpoints=[[0.1, 0.2], [0.3, 0.4]],
        weights=[3.0, 1.0],
        channels=[[7, 7], [7, 7]],
        unitarity=[[0.0, 0.0], [0.0, 0.0]],
    )


def test_each_way_from_a_conductance_to_its_atoms(aiida_profile: Any, aiida_localhost: orm.Computer) -> None:
    structures = [structure(seed).store() for seed in range(2)]
    one = in_one_job(structures[0], aiida_localhost, 1.0)
    other = in_separate_jobs(structures[1], aiida_localhost, 0.5)
    made = {"one job": one, "separate jobs": other, "taken over": taken_over(other), "by hand": conductance().store()}
    atoms = {"one job": structures[0], "separate jobs": structures[1], "taken over": structures[1]}
    tables = profile_tables()
    found = packed_junctions(tables, [node.pk for node in made.values()])
    assert set(found.of) == {made[name].pk for name in atoms}
    for name, node in atoms.items():
        positions = np.array([site.position for site in node.sites])
        there = found.positions(made[name].pk)
        assert there.shape == positions.shape
        assert np.linalg.norm(there[:, None] - positions[None], axis=-1).min(axis=0).max() < 1e-3
    assert packed_junctions(tables, []).of == {}


def test_equal_grids_of_energies_are_one(aiida_profile: Any) -> None:
    nodes = [conductance().store() for _ in range(3)]
    spectra = spectra_of(profile_tables(), [node.pk for node in nodes])
    assert set(spectra.of) == {node.pk for node in nodes}
    assert all(spectra.of[node.pk][1] == pytest.approx(node.transmission) for node in nodes)
    assert len(spectra.energies) == 1


def test_what_is_not_in_the_repository_is_left_out(aiida_profile: Any) -> None:
    node = conductance().store()
    keys = [entry["k"] for entry in node.base.repository.metadata["o"].values()]
    get_manager().get_profile_storage().get_repository().delete_objects(keys)
    assert spectra_of(profile_tables(), [node.pk]).of == {}


def test_of_too_many_conductances_every_so_many_are_shown() -> None:
    chains = [{index: Computed(Point(index), 1) for index in range(number)} for number in (10, 5, 0)]
    assert thinned(chains, most=100)[0] == 1
    every, shown = thinned(chains, most=5)
    assert every == 3
    assert [one.point.snapshot for one in shown] == [0, 3, 6, 9, 0, 3]


def test_codes_and_force_fields_of_chains_are_named(aiida_profile: Any, aiida_localhost: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    code = orm.InstalledCode(
        label=f"pw-{uuid.uuid4().hex[:6]}", computer=aiida_localhost, filepath_executable="/bin/true"
    )
    code.store()
    chain = orm.WorkChainNode(label=f"{group.label}/2V-s1", process_type="aiida.workflows:rewire.chain")
    chain.base.links.add_incoming(code, link_type=LinkType.INPUT_WORK, link_label="lane__scf__pw__code")
    chain.store()
    end_process(chain)
    assert [(one.kind, one.name, one.uuid) for one in gather(group).ingredients] == [
        ("code", code.full_label, code.uuid)
    ]


@pytest.mark.parametrize(
    ("energies", "said"),
    [
        ([0.0], "0 eV"),
        ({"start": -1.0, "stop": 1.0, "step": 0.5}, "from -1 to 1 eV in steps of 0.5 eV"),
        (
            [0.1 * number for number in range(20)],
            "0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, ... (20 in all) eV",
        ),
    ],
)
def test_energies_are_said_as_they_were_given(energies: Any, said: str) -> None:
    assert energies_text(energies) == said


def test_voltages_that_change_are_said_as_points() -> None:
    assert voltage_text([[0.0, 0.0], [50.0, 8.0]]) == "ramp 0 V at 0 ps, 8 V at 50 ps"


def test_a_chain_by_hand_is_shown_as_what_it_is(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "")
    make_chain(group.label, "2V-s1", exit_status=311)
    found = gather(group)
    assert found.chains[0].progress.exit_status == 311
    assert found.chains[0].uuid
