"""Who else uses the loaded profile, and how they are kept out while all of it is changed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from aiida_rewire.database.lock import APPLICATION, key_of
from aiida_rewire.database.queries import fetch
from aiida_rewire.database.storage import UPKEEP, Storage
from aiida_rewire.errors import InvalidInput


def noted_daemon() -> int | None:
    """Return the PID of the daemon of the loaded profile as its file has it; None if there is none.

    The process may be gone, with a machine that went down: the file stays until `verdi daemon stop`. Or it runs on
    another machine that shares this configuration, where nobody here can look.
    """
    from aiida.manage import get_manager

    profile = get_manager().get_profile()
    if profile is None or not profile.process_control_backend:
        return None
    pid: int | None = get_manager().get_daemon_client().get_daemon_pid()
    return pid


@contextlib.contextmanager
def alone_in(storage: Storage, otherwise: str = "") -> Iterator[None]:
    """Keep all others out of a profile inside a block.

    AiiDA's lock holds for programs that use the same configuration; those of other accounts and hosts are seen by
    their connections with PostgreSQL.

    Parameters
    ----------
    storage
        Of the profile.
    otherwise
        Another way out for who is refused.

    Raises
    ------
    InvalidInput
        If somebody uses it.
    """
    from aiida.common.exceptions import LockedProfileError, LockingProfileError
    from aiida.manage import get_manager
    from aiida.manage.profile_access import ProfileAccessManager

    def refused(bound: str, way_out: str) -> InvalidInput:
        return InvalidInput("profile", storage.name, bound, f"{way_out}, or {otherwise}" if otherwise else way_out)

    pid = noted_daemon()
    if pid is not None:
        raise refused(f"without a daemon, and has one with PID {pid}", f"`verdi -p {storage.name} daemon stop`")
    profile = get_manager().get_profile_storage().profile
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(ProfileAccessManager(profile).lock())
        except (LockedProfileError, LockingProfileError) as error:
            by = "; ".join(line.strip(" -") for line in str(error).splitlines()[2:])
            raise refused(f"used by nobody else, and is by: {by}", "end these") from error
        others = connected(storage)
        if others:
            raise refused(f"used by nobody else, and its database is by: {', '.join(others)}", "end these")
        yield


def connected(storage: Storage) -> list[str]:
    """Return who else is connected to the database: role, program and host."""
    if not storage.is_postgresql:
        return []
    rows = fetch(
        storage.session,
        "SELECT DISTINCT usename, application_name, coalesce(host(client_addr), 'this host') FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        # that of the lock which this program holds
        " AND NOT (application_name = :ours AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'"
        " AND granted AND CAST(classid AS bigint) = :high AND CAST(objid AS bigint) = :low))",
        {"ours": APPLICATION, **key_parts()},
    )
    return [f"{role} ({program or 'a program without a name'}, {host})" for role, program, host in rows]


def key_parts() -> dict[str, int]:
    """Return the key of the lock of upkeep in the two parts in which PostgreSQL shows it."""
    key = key_of(UPKEEP)
    return {"high": (key >> 32) & 0xFFFFFFFF, "low": key & 0xFFFFFFFF}
