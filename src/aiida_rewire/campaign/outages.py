"""What a campaign lives through: a database, broker or daemon that is away for a while."""

from __future__ import annotations

from functools import cache

DAEMON_ANSWERS_S = (2, 10)
"""How long the daemon is given to tell of its workers, s: a busy machine may be late once."""

CROWDED = ("too many", "remaining connection slots")
"""A server that says so runs, and has cut nobody off."""


@cache
def passing_errors() -> tuple[type[Exception], ...]:
    """Return the errors that tell of something that is away and may come back."""
    from asyncio import InvalidStateError
    from concurrent import futures

    import plumpy
    from aiida.common.exceptions import InvalidOperation, LockedProfileError, UnreachableStorage
    from plumpy.communications import DeliveryFailed
    from sqlalchemy.exc import DBAPIError, PendingRollbackError, ResourceClosedError

    return (
        DBAPIError,
        PendingRollbackError,
        ResourceClosedError,
        UnreachableStorage,
        # of a submission that could not write its checkpoint, or whose daemon has just gone
        plumpy.PersistenceError,
        InvalidOperation,
        LockedProfileError,
        # of brokers, their connections, and the answers of workers
        DeliveryFailed,
        InvalidStateError,
        futures.TimeoutError,
        futures.CancelledError,
        OSError,
        *_of_brokers(),
    )


def _of_brokers() -> tuple[type[Exception], ...]:
    from importlib import import_module

    names = [
        ("zmq.error", "ZMQError"),
        ("aiormq.exceptions", "AMQPError"),
        ("kiwipy.exceptions", "CommunicatorClosed"),
        ("kiwipy.exceptions", "TimeoutError"),
        ("kiwipy.exceptions", "RemoteException"),
    ]
    return tuple(getattr(import_module(module), name) for module, name in names)


def lost_connection(error: Exception) -> bool:
    """Whether an error tells that the database cut a connection, or refuses new ones."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError):
        return False
    reason = str(error.orig)
    return error.connection_invalidated or ("connection" in reason and not any(word in reason for word in CROWDED))


def what_is_away(error: Exception) -> str:
    """Say in a line what is away."""
    from sqlalchemy.exc import SQLAlchemyError

    reason = " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__
    shown = reason if len(reason) <= 200 else f"{reason[:197]}..."
    whose = "the database" if isinstance(error, SQLAlchemyError) else "AiiDA or its broker"
    return f"{whose} does not answer ({shown})"


def begin_anew() -> None:
    """Let the next look at the database be a fresh one, with a new connection where the old one is gone.

    Nothing that the session holds in memory stays there longer than a round.
    """
    from aiida.manage import get_manager
    from sqlalchemy.exc import SQLAlchemyError

    manager = get_manager()
    if not manager.profile_storage_loaded:
        return
    session = manager.get_profile_storage().get_session()
    try:
        session.rollback()
    except SQLAlchemyError:
        session.invalidate()
    session.expire_all()


def reset_connections() -> None:
    """Give up connections to broker and database that may be broken; the next use makes new ones.

    What a broken connection to the broker still had to send is not sent later.
    """
    from aiida.manage import get_manager

    manager = get_manager()
    begin_anew()
    if manager.profile_storage_loaded:
        storage = manager.get_profile_storage()
        storage.get_session().get_bind().dispose()
        storage.reset_default_user()
    reset_broker()


def reset_broker() -> None:
    """Give up the connection to the broker, and with it the runner that used it."""
    from aiida.manage import get_manager

    manager = get_manager()
    manager.reset_broker()
    manager.reset_runner()


def broker_mark() -> str:
    """Return a text that changes when the broker was started again, and connections to it are no longer any good."""
    from pathlib import Path

    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend != "core.zeromq":
        return ""
    folder = Path(get_config().filepaths(profile)["broker_service"]["dir"])
    parts = []
    for name in ("broker.pid", "broker.sockets"):
        try:
            parts.append((folder / name).read_text())
        except FileNotFoundError:
            parts.append("")
    return "|".join(parts)


def daemon_slots() -> int | None:
    """Return how many processes the daemon holds at most; None if it does not run, or none of its workers."""
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config_option

    profile = get_manager().get_profile()
    if profile is None or profile.process_control_backend is None:
        return None
    client = get_manager().get_daemon_client()
    workers = 0
    for timeout_s in DAEMON_ANSWERS_S:
        if not client.is_daemon_running:
            return None
        try:
            workers = client.get_number_of_workers(timeout=timeout_s)
        except (AiidaException, RuntimeError):
            # it is busy, or ended without tidying up, or starts or stops this very moment
            continue
        if workers:
            break
    return workers * int(get_config_option("daemon.worker_process_slots")) if workers else None
