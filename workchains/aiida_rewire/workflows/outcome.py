"""What a lane gave: its conductances, and why others are missing."""

from __future__ import annotations

from collections.abc import Iterator

from aiida import orm
from aiida.common.links import LinkType

from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.workflows.failures import why_failed
from aiida_rewire.workflows.functions.results import snapshot_name
from aiida_rewire.workflows.functions.structures import REFUSED
from aiida_rewire.workflows.lane import REUSED, STEPS

CALLS = (LinkType.CALL_CALC, LinkType.CALL_WORK)


def conductances_of(lane: orm.WorkChainNode) -> dict[str, ConductanceData]:
    """Return the conductances of a lane by snapshot name, whether or not the lane itself came to its end."""
    conductances = {}
    for name, child in snapshots_of(lane):
        if not child.is_finished_ok:
            continue
        conductances[name] = child.outputs.result if "result" in child.outputs else child.outputs.conductance
    return conductances


def reasons_of(lane: orm.WorkChainNode) -> dict[str, str]:
    """Say for each snapshot of a lane in a line why it has no conductance, if it has none."""
    reasons = {
        snapshot_name(index): f"its lane ended early: {why_failed(lane)}" for index in lane.inputs.indices.get_list()
    }
    for child in lane.called:
        if isinstance(child, orm.CalcFunctionNode) and REFUSED in child.outputs:
            for number, (status, reason) in child.outputs[REFUSED].get_dict().items():
                reasons[snapshot_name(int(number))] = f"{child.process_label} [{status}] {reason}"
    for name, child in snapshots_of(lane):
        if child.is_finished_ok:
            reasons.pop(name, None)
        else:
            reasons[name] = why_failed(child)
    return reasons


def snapshots_of(lane: orm.WorkChainNode) -> Iterator[tuple[str, orm.ProcessNode]]:
    """Yield the processes of a lane that compute or take over a conductance, by snapshot name, in their order."""
    names = {snapshot_name(index) for index in lane.inputs.indices.get_list()}
    links = lane.base.links.get_outgoing(link_type=CALLS).all()
    for link in sorted(links, key=lambda link: link.node.pk):
        name = link.link_label.removesuffix(STEPS).removesuffix(REUSED)
        if name in names:
            yield name, link.node
