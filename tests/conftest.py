"""A throw-away AiiDA profile for all tests, and what tests of several folders share."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aiida_lammps.data.potential import LammpsPotentialData

# importing aiida makes folders where AIIDA_PATH points, by default in the user's home
_configuration = tempfile.TemporaryDirectory(prefix="aiida-rewire-tests-", ignore_cleanup_errors=True)
os.environ["AIIDA_PATH"] = _configuration.name

pytest_plugins = ["aiida.tools.pytest_fixtures", "parent_runs", "tests.real.services.plugin"]


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Folder of the small inputs and recorded outputs."""
    return Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def potential(aiida_profile: Any) -> LammpsPotentialData:
    """Silver's ReaxFF parameters."""
    from aiida_lammps.data.potential import LammpsPotentialData

    from aiida_rewire.md.reaxff import force_field_text, silver_parameters

    return LammpsPotentialData.get_or_create(
        source=io.BytesIO(force_field_text(silver_parameters()).encode()),
        filename="ag.txt",
        pair_style="reaxff",
        species=["Ag"],
        atom_style="charge",
        units="real",
    )
