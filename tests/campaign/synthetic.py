"""A campaign of thousands of snapshots in a profile, whose chains have come through everything that chains may."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from synthetic_tables import FUNCTION, SEGMENT_STEPS, Expected, Made, Writer, remove_rows

from aiida_rewire.campaign.record import record_campaign
from aiida_rewire.campaign.specification import CampaignSpec

PRODUCTION_PS = 2 * SEGMENT_STEPS / 1000


def synthetic_spec(label: str, chains: int, snapshots: int) -> CampaignSpec:
    """A campaign of so many chains, with so many snapshots in each."""
    production_ps = 0.2 * (snapshots - 1)
    return CampaignSpec.model_validate(
        {
            "label": label,
            "protocol": "demo",
            "codes": {name: f"{name}@synthetic" for name in ("md", "pw", "pp", "pwcond")},
            "pseudo_family": "rewire/frozen-d",
            "md": {"voltages": [8.0], "seeds": list(range(1, chains + 1)), "production_ps": production_ps},
            "snapshots": {"interval_ps": 0.2},
            "limits": {"active_chains": 4},
        }
    )


Story = Callable[[Writer, str], Expected]


def waiting(writer: Writer, name: str) -> Expected:
    """Nothing yet."""
    return Expected("waiting", attempts=0)


def equilibrating(writer: Writer, name: str) -> Expected:
    """The first job runs."""
    writer.stage(writer.begin(name, "waiting"), name, "equilibration", 0, ends="waiting")
    return Expected("running", "equilibration")


def producing(writer: Writer, name: str) -> Expected:
    """Two jobs of the production are over."""
    attempt = writer.begin(name, "waiting")
    writer.stage(attempt, name, "equilibration", 1000)
    writer.stage(attempt, name, "production", 2 * SEGMENT_STEPS, ends="waiting")
    return Expected("running", "production", 1.0 + PRODUCTION_PS)


def lost_atoms(writer: Writer, name: str) -> Expected:
    """The production failed for good."""
    attempt = writer.begin(name, "finished", 311, "The production failed: BiasedMdCalculation <1> [311] Atoms left")
    writer.stage(attempt, name, "equilibration", 1000)
    writer.stage(attempt, name, "production", SEGMENT_STEPS, status=311)
    writer.failed("rewire.chain", 311)
    writer.failed("rewire.md.base", 311)
    return Expected("failed", None, 1.0 + SEGMENT_STEPS / 1000)


def killed(writer: Writer, name: str) -> Expected:
    """Killed in the equilibration."""
    writer.stage(writer.begin(name, "killed"), name, "equilibration", 0, ends="killed")
    writer.failed("rewire.chain", "killed")
    writer.failed("rewire.md.base", "killed")
    return Expected("killed")


def orphaned(writer: Writer, name: str) -> Expected:
    """The work chain excepted, its lanes go on."""
    attempt = writer.begin(name, "excepted")
    writer.dynamics(name, attempt)
    lanes = writer.lanes(attempt, name, "waiting")
    for index in range(3):
        writer.good(lanes[0], name, index)
    writer.junction(lanes[0], name, 3, "waiting", None)
    writer.junction(lanes[1], name, writer.count // 2, "waiting", None)
    writer.failed("rewire.chain", "excepted")
    return Expected("running", "snapshots", writer.whole_ps, Counter(done=3, running=2))


def missing(writer: Writer, name: str) -> Expected:
    """Two snapshots have no conductance, and no other try gives one."""
    attempt = writer.begin(
        name, "finished", 500, f"2 of {writer.count} snapshots have no conductance; see the trace."
    )
    writer.dynamics(name, attempt)
    lanes = writer.lanes(attempt, name)
    for index in range(writer.count):
        lane = lanes[index * 2 // writer.count]
        if index in (1, 2):
            writer.junction(lane, name, index, "finished", 330, "No transmission stored, unitarity is broken: 0.1")
            writer.failed("rewire.junction", 330)
        else:
            writer.good(lane, name, index)
    writer.failed("rewire.chain", 500)
    return Expected("failed", None, writer.whole_ps, Counter(done=writer.count - 2, failed=2))


def retried(writer: Writer, name: str) -> Expected:
    """A second attempt computes what the first one could not."""
    first = writer.begin(name, "finished", 500, f"2 of {writer.count} snapshots have no conductance; see the trace.")
    writer.dynamics(name, first)
    lanes = writer.lanes(first, name)
    for index in range(writer.count):
        lane = lanes[index * 2 // writer.count]
        if index in (0, 3):
            writer.junction(lane, name, index, "finished", 420, "pw.x did not come to its end: disk")
            writer.in_steps(lane, name, index, "finished", 310)
            writer.failed("rewire.junction", 420, mended=index == 0)
            writer.failed("rewire.snapshot", 310, mended=index == 0)
        else:
            writer.good(lane, name, index)
    writer.failed("rewire.chain", 500)
    second = writer.begin(name, "waiting")
    lanes = writer.lanes(second, name, "waiting")
    writer.good(lanes[0], name, 0)
    writer.junction(lanes[1], name, 3, "finished", 420, "pw.x did not come to its end: disk")
    writer.failed("rewire.junction", 420)
    writer.in_steps(lanes[1], name, 3, "waiting")
    counts = Counter(done=writer.count - 1, running=1)
    return Expected("running", "snapshots", writer.whole_ps, counts, attempts=2)


def finished(writer: Writer, name: str) -> Expected:
    """All is there; a few snapshots took a second way, a few are those of equal contacts."""
    attempt = writer.begin(name, "finished", 0)
    writer.dynamics(name, attempt)
    lanes = writer.lanes(attempt, name)
    reused = 0
    for index in range(writer.count):
        lane = lanes[index * 2 // writer.count]
        if index % 20 == 7:
            writer.mended(lane, name, index)
        elif index % 20 == 9:
            function = writer.process(FUNCTION, "reuse_conductance", "finished", 0)
            writer.tables.link(lane, function, "call_calc", f"snapshot_{index:04d}_reused")
            writer.conductance(function, name, index, reused_from=str(uuid.uuid4()))
            reused += 1
        else:
            writer.good(lane, name, index)
    return Expected("finished", None, writer.whole_ps, Counter(done=writer.count, reused=reused))


STORIES: tuple[Story, ...] = (waiting, equilibrating, producing, lost_atoms, killed, orphaned, missing, retried)


def make_campaign(label: str, *, chains: int = 46, snapshots: int = 250, kind: type[Writer] = Writer) -> Made:
    """Write a campaign into the loaded profile: a chain of each story, and the others finished."""
    spec = synthetic_spec(label, chains, snapshots)
    group, _ = record_campaign(spec, f"label: {label}\n")
    made = Made(label)
    writer = kind(made, snapshots)
    for number in range(chains):
        # those that wait are the last of the file
        story = ((finished,) * (chains - len(STORIES)) + STORIES[::-1])[number]
        name = f"8V-s{number + 1}"
        made.chains[name] = story(writer, name)
    writer.tables.write(group, writer.members)
    return made


@contextmanager
def synthetic_campaign(*, chains: int = 10, snapshots: int = 20, kind: type[Writer] = Writer) -> Iterator[Made]:
    """A campaign that is gone afterwards: what of it seems to live would puzzle other tests."""
    made = make_campaign(f"synthetic-{uuid.uuid4().hex[:8]}", chains=chains, snapshots=snapshots, kind=kind)
    try:
        yield made
    finally:
        remove_rows(made.first)
