"""Codes that nothing runs, a force field and a pseudopotential that is only a header."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm
from aiida_lammps.data.potential import LammpsPotentialData
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.md.reaxff import force_field_text, silver_parameters


@pytest.fixture(scope="session")
def codes(aiida_profile: Any) -> dict[str, orm.InstalledCode]:
    """The codes of a chain."""
    computer = orm.Computer("chain", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.store()
    plugins = {"lmp": "rewire.md", "pw": "rewire.pw", "pwcond": "rewire.pwcond"}
    return {
        label: orm.InstalledCode(
            label=label, computer=computer, filepath_executable="/bin/true", default_calc_job_plugin=plugin
        )
        for label, plugin in plugins.items()
    }


@pytest.fixture(scope="session")
def potential(aiida_profile: Any) -> LammpsPotentialData:
    """Silver's ReaxFF parameters."""
    return LammpsPotentialData.get_or_create(
        source=io.BytesIO(force_field_text(silver_parameters()).encode()),
        filename="ag.txt",
        pair_style="reaxff",
        species=["Ag"],
        atom_style="charge",
        units="real",
    )


@pytest.fixture(scope="session")
def upf(aiida_profile: Any) -> Callable[[int], UpfData]:
    """Make a norm-conserving pseudopotential of so many electrons."""

    def factory(valence: int) -> UpfData:
        header = f'<PP_HEADER\nelement="Ag"\npseudo_type="NC"\nz_valence="{valence}.00"/>'
        return UpfData(io.BytesIO(f'<UPF version="2.0.1">\n{header}\n</UPF>\n'.encode()), filename="Ag.upf")

    return factory
