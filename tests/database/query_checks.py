"""What queries for conductances must answer, in whatever database the loaded profile has."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from aiida import orm
from aiida.plugins import GroupFactory
from tests.campaign.made_conductances import make_chain, make_conductance

from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.database.queries import Selection, campaigns, conductances, histogram, trace

TRANSMISSIONS = (1e-9, 0.2, 0.5, 0.999, 1.0, 1.0, 1.5, 2.0)
EDGES = (0.0, 0.5, 1.0, 2.0)
HOSTILE = ("'; DROP TABLE db_dbnode; --", "100%", "_", "a:b", "x" * 100_000, "\\", '"', "ü\n")


def check_all() -> None:
    """Check all, and leave what it took in the database."""
    label = f"queries-{uuid.uuid4().hex[:8]}"
    group = GroupFactory("rewire.campaign")(label=label, extras={"submitted_at": "2026-01-01"}).store()
    chains = [make_chain(label, "2V-s1"), make_chain(label, "4V-s1")]
    # stored against the order of time
    first = [make_conductance(label, "2V-s1", 7 - place, value) for place, value in enumerate(TRANSMISSIONS)]
    second = [make_conductance(label, "4V-s1", 0, 1.0, voltage_v=4), make_conductance(label, "4V-s1", 1, 0.3)]
    make_conductance(f"{label}-other", "2V-s1", 0, 1.0)
    void = make_conductance(label, "2V-s1", 8, 1.0)
    void.base.extras.set(VOID_EXTRA, "a test")
    group.add_nodes([*chains, *first, *second])
    check_trace(label, [node.pk for node in first])
    check_ranges(label, second[0].pk)
    check_histogram(label)
    check_campaigns(label)
    check_hostile(label)


def check_trace(label: str, pks: list[int]) -> None:
    """The conductances of a chain that count, and no others, in the order of time."""
    found = trace(label, "2V-s1")
    assert found.pk.tolist() == pks[::-1]
    assert found.transmission.tolist() == list(TRANSMISSIONS[::-1])
    assert np.allclose(found.time_ps, 0.1 * np.arange(8), rtol=1e-12, atol=0)
    assert set(zip(found.campaign, found.chain, found.voltage_v.tolist(), strict=True)) == {(label, "2V-s1", 2.0)}
    assert len(trace(label, "2V-s")) == len(trace(label, "3V-s1")) == 0


def check_ranges(label: str, pk: int) -> None:
    """Both ends belong to a range; a whole number is the same voltage as a broken one."""
    found = conductances(Selection(campaign=label, voltage_v=2.0, transmission=(0.5, 1.0)))
    assert sorted(found.transmission.tolist()) == [0.5, 0.999, 1.0, 1.0]
    assert conductances(Selection(campaign=label, voltage_v=4.0)).pk.tolist() == [pk]
    assert len(conductances(Selection(campaign=label))) == 10
    everywhere = conductances(Selection(voltage_v=4.0, transmission=(1.0, 1.0)))
    assert pk in everywhere.pk.tolist()


def check_histogram(label: str) -> None:
    """The same as NumPy counts, with values on the edges and outside."""
    wanted = np.histogram(TRANSMISSIONS, EDGES)[0].tolist()
    assert histogram(EDGES, Selection(campaign=label, chain="2V-s1")).tolist() == wanted == [2, 2, 4]
    narrow = (0.2, 0.6, 1.0)
    wanted = np.histogram([*TRANSMISSIONS, 1.0, 0.3], narrow)[0].tolist()
    assert histogram(narrow, Selection(campaign=label)).tolist() == wanted
    assert histogram(EDGES).sum() >= 11
    assert histogram(EDGES, Selection(campaign="nobody")).tolist() == [0, 0, 0]


def check_campaigns(label: str) -> None:
    """A line for the campaign, with its members."""
    (listed,) = [one for one in campaigns() if one.label == label]
    assert (listed.chains, listed.conductances, listed.submitted_at) == (2, 10, "2026-01-01")
    assert listed.owner == orm.User.collection.get_default().email


def check_hostile(label: str) -> None:
    """Whatever texts are asked for or stored, nothing fails and nothing else is found."""
    for hostile in HOSTILE:
        # others may have asked the same database the same
        text = f"{label}{hostile}"
        assert len(trace(text, text)) == 0
        node = make_conductance(text, text, 0, 1.0)
        assert trace(text, text).pk.tolist() == [node.pk]
    # beside what a number should be, and far outside of what a float holds
    for value in ("eight", None, True, [1.0], {"v": 1}, 10**400):
        make_raw(label, value)
    assert conductances(Selection(campaign=label, voltage_v=2.0, transmission=(0.0, 9.0))).pk.size == 9
    assert histogram(EDGES, Selection(campaign=label)).sum() == 10


def make_raw(label: str, value: Any) -> None:
    """Store a node of the type of conductances whose numbers are something else."""
    node = make_conductance(f"{label}-raw", "raw", 0, 1.0)
    backend = node.backend_entity
    attributes = {**node.base.attributes.all, "campaign": label, "voltage_v": value, "transmission_fermi": value}
    with written(node) as (session, table):
        session.execute(table.update().where(table.c.id == backend.pk).values(attributes=attributes))


@contextmanager
def written(node: orm.Node) -> Iterator[tuple[Any, Any]]:
    """Write to the table of nodes."""
    from aiida.manage import get_manager

    session = get_manager().get_profile_storage().get_session()
    yield session, type(node.backend_entity.bare_model).__table__
    session.commit()
    session.expire_all()
