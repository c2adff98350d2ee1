"""What a controller decided, done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_rewire.campaign.attempts import SENT_EXTRA, TERMINAL
from aiida_rewire.campaign.decisions import Action, Bury, End, Kill, Play, SendTask, Void
from aiida_rewire.campaign.tasks import answers, send_task
from aiida_rewire.database.marks import VOID_EXTRA

if TYPE_CHECKING:
    from aiida import orm

KILL_TEXT = "killed by aiida-rewire campaign"


def act_on_process(action: Action) -> str | None:
    """Do what concerns a process that is there; return what to say of it, None if nothing came of it.

    Nothing is waited for: whether it helped is seen at the next look.
    """
    match action:
        case Void(pk, why):
            load(pk).base.extras.set(VOID_EXTRA, why)
            return f"<{pk}> does not count: {why}"
        case Bury(pk, state, why):
            return f"<{pk}> is marked as {state}: {why}" if bury(pk, state, why) else None
        case SendTask(pk):
            return f"<{pk}> had no task any more: it was sent again" if send_task(pk) else None
        case Play(pk):
            return f"<{pk}> is asked to go on" if ask("play", pk) else None
        case Kill(pk):
            return f"<{pk}> is asked to end" if ask("kill", pk) else None
        case End(pk, why):
            # a worker that does not answer is busy, and may go on with it
            return f"<{pk}> is ended: {why}" if answers(pk) and ask("kill", pk) else None
        case _:
            raise TypeError(action)


def load(pk: int) -> orm.ProcessNode:
    """Return a process as it is now."""
    from aiida import orm

    node: orm.ProcessNode = orm.load_node(pk)
    return node


def mark_as_sent(pk: int, slots: int) -> None:
    """Write down that the broker has the task of an attempt, and how many slots it may come to hold."""
    load(pk).base.extras.set(SENT_EXTRA, slots)


def ask(what: str, pk: int) -> bool:
    """Ask a process to play or to end (kill); return whether there is a worker to hear it."""
    from aiida.manage import get_manager
    from plumpy.communications import DeliveryFailed

    controller = get_manager().get_process_controller()
    try:
        if what == "play":
            controller.play_process(pk)
        else:
            controller.kill_process(pk, msg_text=KILL_TEXT)
    except DeliveryFailed:
        return False
    return True


def bury(pk: int, state: str, why: str) -> bool:
    """Mark a process as ended that no worker will run, all at once; return whether it had not ended by itself.

    Parameters
    ----------
    pk
        Of its node.
    state
        excepted or killed.
    why
        For people.
    """
    from aiida.manage import get_manager

    node = load(pk)
    if node.is_sealed or (node.process_state is not None and node.process_state.value in TERMINAL):
        return False
    with get_manager().get_profile_storage().transaction():
        if state == "excepted":
            node.set_exception(why)
        node.set_process_status(why)
        node.set_process_state(state)
        node.delete_checkpoint()
        node.seal()
    return True
