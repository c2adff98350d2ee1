"""Whose campaign it is, and what members of a group wish."""

from __future__ import annotations

from typing import Any

import pytest
from aiida import orm
from small_campaigns import make_spec

from aiida_rewire.campaign.extras import IMPORTED, change_extras, read_extras
from aiida_rewire.campaign.ownership import goes_by, me, owner_of, refuse_others
from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.wishes import WANTED, settle, want, wishes
from aiida_rewire.errors import InvalidInput

BEN = "ben@uni.example"


@pytest.fixture
def campaign(aiida_profile: Any) -> orm.Group:
    """A campaign of whoever runs the tests."""
    return record_campaign(make_spec(), "")[0]


def given_to(group: orm.Group, email: str) -> orm.Group:
    change_extras(group, lambda extras: {**extras, "submitted_by": email})
    return group


def test_who_recorded_a_campaign_may_change_it(campaign: orm.Group) -> None:
    assert owner_of(read_extras(campaign)) == me()
    refuse_others(campaign, None)
    refuse_others(campaign, "whoever")


@pytest.mark.parametrize("named", [BEN, "ben", "Ben@Uni.Example"])
def test_anothers_is_changed_where_they_are_named(campaign: orm.Group, named: str) -> None:
    given_to(campaign, BEN)
    with pytest.raises(InvalidInput, match=rf"must be a campaign of yours; {BEN} recorded it; --force {BEN}"):
        refuse_others(campaign, None)
    refuse_others(campaign, named)


@pytest.mark.parametrize("named", ["", "be", "ben@", "uni.example", "ada", "ben@uni.example "])
def test_nobody_else_is_meant(campaign: orm.Group, named: str) -> None:
    given_to(campaign, BEN)
    with pytest.raises(InvalidInput, match=f"must be who recorded {campaign.label}; that is {BEN}"):
        refuse_others(campaign, named)


def test_a_campaign_of_nobody_is_everybodys(campaign: orm.Group) -> None:
    refuse_others(given_to(campaign, ""), None)


def test_a_name_is_an_email_or_its_first_part() -> None:
    assert goes_by(BEN, "ben")
    assert not goes_by("", "")
    assert not goes_by(BEN, "ben@other.example")


def test_a_wish_is_settled_and_a_later_one_stays(campaign: orm.Group) -> None:
    want(campaign)
    first = wishes()[campaign.label]
    assert first["by"] == me()
    want(campaign)
    second = read_extras(campaign)[WANTED]
    assert second != first
    settle(campaign, first)
    assert wishes()[campaign.label] == second
    settle(campaign, second)
    assert campaign.label not in wishes()
    assert WANTED not in read_extras(campaign)


def test_the_oldest_wish_comes_first_and_what_was_imported_is_nobodys_to_run(aiida_profile: Any) -> None:
    one, two, three = (record_campaign(make_spec(), "")[0] for _ in range(3))
    for group in (two, one, three):
        want(group)
    change_extras(three, lambda extras: {**extras, IMPORTED: {}})
    assert [label for label in wishes() if label in (one.label, two.label, three.label)] == [two.label, one.label]
