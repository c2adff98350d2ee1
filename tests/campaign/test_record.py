"""The record of a campaign: once, whoever submits it how often; and what may be amended."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from aiida.plugins import GroupFactory
from small_campaigns import make_spec

from aiida_rewire.campaign.extras import change_extras, read_extras
from aiida_rewire.campaign.reading import digest_of
from aiida_rewire.campaign.record import (
    UnknownCampaign,
    amend_campaign,
    campaign_labels,
    find_campaign,
    record_campaign,
    spec_of,
)
from aiida_rewire.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("aiida_profile")


def groups_of(label: str) -> int:
    return orm.QueryBuilder().append(GroupFactory("rewire.campaign"), filters={"label": label}).count()


def test_a_campaign_is_recorded_with_all_that_is_known_of_it(tmp_path: Any) -> None:
    computer = orm.Computer("study", "localhost", transport_type="core.local", scheduler_type="core.direct").store()
    code = orm.InstalledCode(label="pw", computer=computer, filepath_executable="/opt/pw.x").store()
    spec = make_spec(description="what for")
    group, created = record_campaign(spec, "text: of the file\n")
    assert created
    assert (group.label, group.description, group.type_string) == (spec.label, "what for", "rewire.campaign")
    extras = group.base.extras.all
    assert extras["spec"] == spec.model_dump(mode="json")
    assert spec_of(group) == spec
    assert extras["source"] == "text: of the file\n"
    assert extras["digest"] == digest_of(spec)
    assert extras["submitted_by"] == orm.User.collection.get_default().email
    assert extras["submitted_at"].endswith("+00:00")
    assert {name: extras[name] for name in ("amendments", "paused", "paused_chains", "killed_chains")} == {
        **{"amendments": [], "paused": False, "paused_chains": [], "killed_chains": []}
    }
    assert extras["granted_retries"] == {}
    versions = extras["versions"]
    assert versions["aiida-core"] == version("aiida-core")
    assert versions["aiida-rewire"] == version("aiida-rewire")
    assert versions["python"] == sys.version.split()[0]
    assert versions["codes"] == {
        **{"md@study": None, "pp@study": None, "pwcond@study": None},
        "pw@study": {"uuid": code.uuid, "executable": "/opt/pw.x"},
    }


def test_twice_is_the_same_as_once() -> None:
    spec = make_spec()
    first, created = record_campaign(spec, "one")
    change_extras(first, lambda extras: {**extras, "paused": True})
    second, again = record_campaign(spec, "the same, with a comment")
    assert (created, again) == (True, False)
    assert (first.pk, groups_of(spec.label)) == (second.pk, 1)
    # what happened since stays
    assert read_extras(second)["paused"] is True
    assert read_extras(second)["source"] == "one"


def test_the_loser_of_two_at_the_same_instant_finds_the_group_of_the_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make_spec()
    winner, _ = record_campaign(spec, "one")
    # the loser looked before the winner wrote
    looks = iter([UnknownCampaign(spec.label, [])])

    def look(label: str) -> orm.Group:
        for error in looks:
            raise error
        return find_campaign(label)

    monkeypatch.setattr("aiida_rewire.campaign.record.find_campaign", look)
    group, created = record_campaign(spec, "one")
    assert (group.pk, created, groups_of(spec.label)) == (winner.pk, False, 1)
    # the session of the loser is fit for more
    assert orm.Dict({"a": 1}).store().is_stored


RECORD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from aiida import load_profile
load_profile(sys.argv[2])
from aiida_rewire.campaign.record import record_campaign
from small_campaigns import make_spec
spec = make_spec(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
group, created = record_campaign(spec, "one")
print(group.pk, created)
"""


def test_two_people_at_once_make_one_group(aiida_profile: Any, request: pytest.FixtureRequest) -> None:
    label = make_spec().label
    arguments = [sys.executable, "-c", RECORD, str(request.path.parent), aiida_profile.name, label]
    people = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for person in people:
        assert person.stdout is not None
        assert person.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(2) as pool:
        said = [out for out, _ in pool.map(lambda person: person.communicate("go\n"), people)]
    get_manager().get_profile_storage().get_session().rollback()
    pks, created = zip(*(line.split() for line in said), strict=True)
    assert len(set(pks)) == 1
    assert sorted(created) == ["False", "True"]
    assert groups_of(label) == 1


def test_a_group_without_a_record_is_filled_in_by_the_next_submission() -> None:
    spec = make_spec()
    bare = GroupFactory("rewire.campaign")(label=spec.label).store()
    with pytest.raises(InvalidInput, match="a recorded campaign"):
        spec_of(bare)
    group, created = record_campaign(spec, "one")
    assert (group.pk, created) == (bare.pk, False)
    assert spec_of(group) == spec
    assert read_extras(group)["granted_retries"] == {}


def test_another_file_of_the_same_label_is_refused_with_what_differs_and_the_way_out() -> None:
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    other = make_spec(spec.label, md={"voltages": [2.0, 5.0], "seeds": [1]}, energies=[0.0, 0.1])
    with pytest.raises(InvalidInput) as refused:
        record_campaign(other, "other")
    said = str(refused.value)
    assert said.startswith(f"label = {spec.label}: must be free, or submitted with the file it was recorded from")
    assert "adds 5V-s1, removes 8V-s1, changes energies from None to [0.0, 0.1]" in said
    assert "`--amend` adds chains" in said
    assert "another label" in said
    assert read_extras(group)["digest"] == digest_of(spec)


def test_an_amendment_adds_chains_and_is_written_down_once() -> None:
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    more = make_spec(spec.label, md={"voltages": [8.0, 2.0, 5.0], "seeds": [1, 7]}, description="more")
    for _ in range(2):
        amended, _ = amend_campaign(more, "two")
        assert amended.pk == group.pk
    extras = read_extras(group)
    assert (extras["digest"], extras["source"], group.description) == (digest_of(more), "two", "more")
    (entry,) = extras["amendments"]
    assert entry["added"] == ["8V-s7", "2V-s7", "5V-s1", "5V-s7"]
    assert entry["digest"] == digest_of(more)
    assert entry["by"] == orm.User.collection.get_default().email
    assert spec_of(group) == more
    # and the amended file is the one that is submitted again
    assert record_campaign(more, "two") == (group, False)


def test_limits_retries_resources_and_description_may_be_amended() -> None:
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    other = make_spec(
        spec.label,
        limits={"active_chains": 5},
        retries={"attempts": 4},
        resources={"scf": {"walltime_h": 3.0}},
        description="other",
    )
    _, changes = amend_campaign(other, "two")
    assert (changes.added, changes.removed, changes.values) == ((), (), ())
    assert {name: new for name, _, new in changes.free} == {
        **{"limits.active_chains": 5, "retries.attempts": 4, "resources.scf.walltime_h": 3.0, "description": "other"}
    }
    assert spec_of(group) == other


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"md": {"voltages": [2.0, 5.0], "seeds": [1]}}, ["md = without 8V-s1", "campaign kill LABEL --chain NAME"]),
        (
            {"md": {"voltages": [2.0, 8.0], "seeds": [1], "temperature_k": 700.0}},
            ["md.temperature_k = 700.0", "from None to 700.0 would change the chains 2V-s1, 8V-s1", "another label"],
        ),
        ({"protocol": "paper"}, ["protocol = 'paper'", "from 'demo' to 'paper'"]),
        ({"codes": {"md": "md@study", "pw": "new@study", "pp": "pp@study", "pwcond": "pwcond@study"}}, ["codes.pw"]),
        ({"overrides": {"scf": {"parameters": {"SYSTEM": {"ecutwfc": 40}}}}}, ["overrides.scf"]),
        ({"reuse": {"contacts": False}}, ["reuse.contacts = False"]),
    ],
)
def test_an_amendment_that_would_change_chains_is_refused_by_name(changes: dict[str, Any], said: list[str]) -> None:
    spec = make_spec()
    group, _ = record_campaign(spec, "one")
    before = read_extras(group)
    with pytest.raises(InvalidInput) as refused:
        amend_campaign(make_spec(spec.label, limits={"active_chains": 9}, **changes), "two")
    for part in said:
        assert part in str(refused.value)
    assert read_extras(group) == before


def test_an_unknown_label_is_told_with_those_like_it() -> None:
    spec = make_spec("silver-study-of-tests")
    record_campaign(spec, "one")
    with pytest.raises(UnknownCampaign, match="there is silver-study-of-tests"):
        find_campaign("silver-study-of-test")
    with pytest.raises(UnknownCampaign) as refused:
        find_campaign("x" * 5000)
    assert len(str(refused.value)) < 400
    assert spec.label in campaign_labels()
    # neither patterns nor SQL
    for label in ("%", "silver-study-of-test_", "' OR 1=1 --", ""):
        with pytest.raises(UnknownCampaign):
            find_campaign(label)


CHANGE = """
import sys
from aiida import load_profile, orm
load_profile(sys.argv[1])
from aiida_rewire.campaign.extras import change_extras
group = orm.load_group(int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    change_extras(group, lambda extras: {**extras, "seen": [*extras.get("seen", []), f"{sys.argv[3]}-{number}"]})
"""


def test_no_change_of_two_at_the_same_moment_is_lost(aiida_profile: Any) -> None:
    group, _ = record_campaign(make_spec(), "one")
    people = [
        subprocess.Popen(
            [sys.executable, "-c", CHANGE, aiida_profile.name, str(group.pk), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for person in people:
        assert person.stdout is not None
        assert person.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda person: person.communicate("go\n"), people))
    assert [person.returncode for person in people] == [0, 0]
    seen = read_extras(group)["seen"]
    assert sorted(seen) == sorted(f"{name}-{number}" for name in "ab" for number in range(20))
    # of one writer in its order
    assert [entry for entry in seen if entry.startswith("a")] == [f"a-{number}" for number in range(20)]
    json.dumps(read_extras(group))
