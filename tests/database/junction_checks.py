"""From a conductance to the atoms it was computed of, whichever way that was, in whatever database is loaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.manage import get_manager
from sqlalchemy import event
from tests.database.junction_provenance import conductance, in_one_job, in_separate_jobs, structure, taken_over

from aiida_rewire.database.junctions import Junction, junctions_of


def check_all() -> None:
    """Check all, and leave what it took in the database."""
    _, computer = orm.Computer.collection.get_or_create(
        label="junctions", hostname="localhost", transport_type="core.local", scheduler_type="core.direct"
    )
    computer.store()
    atoms = [structure(np.full((1, 3), float(place)), np.eye(3) * 9) for place in range(3)]
    check_each_way(atoms, computer)
    check_number_of_queries(atoms, computer)


def check_each_way(atoms: list[orm.StructureData], computer: orm.Computer) -> None:
    one = in_one_job(atoms[0], computer, 1.0)
    other = in_separate_jobs(atoms[1], computer, 0.5)
    # the last of a snapshot whose own contact was assembled as well
    copies = [taken_over(one), taken_over(other, own=atoms[2])]
    by_hand = conductance(0.1).store()
    found = junctions_of(node.pk for node in (one, other, *copies, by_hand))
    assert found == {
        node.pk: Junction(computed.pk, computed.uuid)
        for node, computed in ((one, atoms[0]), (other, atoms[1]), (copies[0], atoms[0]), (copies[1], atoms[1]))
    }
    assert junctions_of([]) == {}


def check_number_of_queries(atoms: list[orm.StructureData], computer: orm.Computer) -> None:
    made = [in_one_job(atoms[0], computer, 1.0) for _ in range(5)]
    made += [in_separate_jobs(atoms[1], computer, 0.5) for _ in range(5)]
    statements: list[str] = []
    bind = get_manager().get_profile_storage().get_session().get_bind()

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "db_dblink" in statement:
            statements.append(statement)

    event.listen(bind, "before_cursor_execute", note)
    try:
        found = junctions_of(node.pk for node in made)
    finally:
        event.remove(bind, "before_cursor_execute", note)
    assert [found[node.pk].structure for node in made] == [atoms[0].uuid] * 5 + [atoms[1].uuid] * 5
    assert len(statements) == 3
