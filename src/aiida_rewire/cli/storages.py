"""The project's storages in the place of AiiDA's: the same data, reached in ways that others do not disturb."""

from __future__ import annotations

from pathlib import Path

STORAGES = {"core.psql_dos": "rewire.psql_dos", "core.sqlite_dos": "rewire.sqlite_dos"}
"""By AiiDA's."""


def folder_of_data(name: str) -> Path:
    """Return the folder where a profile on SQLite has its database and files."""
    from aiida.manage.configuration import get_config

    return Path(get_config().get_profile(name).storage_config["filepath"])


def harden_storage(name: str) -> None:
    """Let a profile reach its data by the project's storage from the next time on that it is loaded.

    Parameters
    ----------
    name
        Of the profile.
    """
    from aiida.manage.configuration import get_config

    config = get_config()
    profile = config.get_profile(name)
    ours = STORAGES.get(profile.storage_backend)
    if ours is None:
        return
    profile.set_storage(ours, profile.storage_config)
    config.update_profile(profile)
    config.store()
