"""Who else stands on the daemon of a profile: controllers of other campaigns, and what other people began."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from aiida import orm
from aiida.common.links import LinkType
from made_conductances import end_process, make_chain
from small_campaigns import make_spec

from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.runners import controllers_at_work, processes_of_others
from aiida_rewire.database.lock import lock_of


@pytest.fixture
def two(aiida_profile: Any) -> Iterator[tuple[orm.Group, orm.Group]]:
    """Two campaigns."""
    groups = [record_campaign(make_spec(f"runners-{uuid4().hex[:8]}"), "")[0] for _ in range(2)]
    yield groups[0], groups[1]
    for group in groups:
        orm.Group.collection.delete(group.pk)


def test_the_controller_of_another_campaign_is_told(two: tuple[orm.Group, orm.Group]) -> None:
    one, other = two
    assert other.label not in controllers_at_work(one)
    with contextlib.closing(Held(other.uuid)):
        assert other.label in controllers_at_work(one)
        assert other.label in controllers_at_work()
        assert other.label not in controllers_at_work(other)
    assert other.label not in controllers_at_work(one)


class Held:
    """A lock that is held until it is closed."""

    def __init__(self, uuid: str) -> None:
        self.lock = lock_of(uuid)
        assert self.lock.acquire()

    def close(self) -> None:
        """Give it back."""
        self.lock.release()


def test_processes_of_others_are_told_and_not_what_they_called(two: tuple[orm.Group, orm.Group]) -> None:
    one, other = two
    mine, theirs = (make_chain(group.label, "2V-s1", state="running") for group in two)
    called = orm.WorkChainNode()
    called.base.links.add_incoming(mine, LinkType.CALL_WORK, "lane")
    called.store()
    called.set_process_state("running")
    assert mine.pk in processes_of_others(other)
    assert theirs.pk not in processes_of_others(other)
    assert theirs.pk in processes_of_others(one)
    assert called.pk not in processes_of_others(other)
    for node in (called, mine, theirs):
        end_process(node)
    assert not {mine.pk, theirs.pk} & set(processes_of_others(one))
