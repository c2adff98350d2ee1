"""Codes that nothing runs, and lanes of them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData
from lanes import Lanes

PLUGINS = {"md": "rewire.md", "pw": "rewire.pw", "pp": "rewire.readback", "pwcond": "rewire.pwcond"}


@pytest.fixture(scope="session")
def codes(aiida_profile: Any) -> dict[str, orm.InstalledCode]:
    """The codes of a chain."""
    computer = orm.Computer("chain", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.store()
    return {
        label: orm.InstalledCode(
            label=label, computer=computer, filepath_executable="/bin/true", default_calc_job_plugin=plugin
        )
        for label, plugin in PLUGINS.items()
    }


@pytest.fixture
def lanes(
    codes: Mapping[str, orm.InstalledCode], upf: Callable[..., UpfData], finished_pw: Callable[..., orm.RemoteData]
) -> Lanes:
    """Lanes between leads of a lattice constant of their own."""
    return Lanes(codes, upf, finished_pw)
