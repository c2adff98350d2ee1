"""From a conductance to the atoms it was computed of, whichever way that was."""

import numpy as np
import pytest
from aiida import orm
from junction_provenance import conductance, in_one_job, in_separate_jobs, structure, taken_over

from aiida_rewire.database import junctions
from aiida_rewire.database.junctions import Junction, junctions_of


@pytest.fixture
def atoms(aiida_profile: object) -> list[orm.StructureData]:
    """Three scattering regions."""
    return [structure(np.full((1, 3), float(place)), np.eye(3) * 9) for place in range(3)]


def test_each_way_leads_to_the_junction(
    atoms: list[orm.StructureData], aiida_localhost: orm.Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = in_one_job(atoms[0], aiida_localhost, 1.0)
    other = in_separate_jobs(atoms[1], aiida_localhost, 0.5)
    copies = [taken_over(one), taken_over(other)]
    by_hand = conductance(0.1).store()
    asked = {node.uuid: None for node in (one, other, by_hand)} | {
        copies[0].uuid: one.uuid,
        copies[1].uuid: other.uuid,
    }
    wanted = {
        one.uuid: Junction(one.uuid, atoms[0].uuid),
        other.uuid: Junction(other.uuid, atoms[1].uuid),
        copies[0].uuid: Junction(one.uuid, atoms[0].uuid),
        copies[1].uuid: Junction(other.uuid, atoms[1].uuid),
        by_hand.uuid: Junction(by_hand.uuid, ""),
    }
    assert junctions_of(asked) == wanted
    # in pieces of one as well
    monkeypatch.setattr(junctions, "MOST_ASKED", 1)
    assert junctions_of(asked) == wanted
    assert junctions_of({}) == {}
