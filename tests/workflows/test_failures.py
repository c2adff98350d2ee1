"""Why a process failed, in one line."""

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState

from aiida_rewire.workflows.failures import end_with_exit_code_of, why_failed

pytestmark = pytest.mark.usefixtures("aiida_profile")


def process(
    label: str,
    *,
    parent: orm.WorkChainNode | None = None,
    status: int | None = None,
    message: str = "",
    state: ProcessState = ProcessState.FINISHED,
    calculation: bool = False,
) -> orm.ProcessNode:
    """A process that ended."""
    node = orm.CalcFunctionNode() if calculation else orm.WorkChainNode()
    node.set_process_label(label)
    node.set_process_state(state)
    if status is not None:
        node.set_exit_status(status)
        node.set_exit_message(message)
    if parent is not None:
        kind = LinkType.CALL_CALC if calculation else LinkType.CALL_WORK
        node.base.links.add_incoming(parent, kind, label)
    return node.store()


def test_the_deepest_failed_step_is_named_with_its_exit_code() -> None:
    chain = process("RewiringWorkChain", status=311, message="The production failed")
    base = process("BiasedMdWorkChain", parent=chain, status=311, message="passed on")
    process("build_tips", parent=base, status=0, calculation=True)
    lost = process("BiasedMdCalculation", parent=base, status=311, message="Atoms left the box", calculation=True)
    assert why_failed(chain) == f"BiasedMdCalculation <{lost.pk}> [311] Atoms left the box"


def test_the_last_attempt_is_the_one_that_counts() -> None:
    base = process("PwBaseWorkChain", status=400)
    process("PwCalculation", parent=base, status=410, message="first", calculation=True)
    last = process("PwCalculation_2", parent=base, status=410, message="second", calculation=True)
    assert why_failed(base) == f"PwCalculation_2 <{last.pk}> [410] second"


def test_a_process_without_failed_steps_speaks_for_itself() -> None:
    chain = process("PwcondBaseWorkChain", status=220, message="the parents do not fit")
    process("assemble", parent=chain, status=0, calculation=True)
    assert why_failed(chain) == f"PwcondBaseWorkChain <{chain.pk}> [220] the parents do not fit"


def test_killed_and_excepted_processes_say_so() -> None:
    for state, words in ((ProcessState.KILLED, "was killed"), (ProcessState.EXCEPTED, "excepted; see")):
        chain = process("SnapshotConductanceWorkChain", status=310)
        step = process("PwCalculation", parent=chain, state=state, calculation=True)
        assert why_failed(chain).startswith(f"PwCalculation <{step.pk}> {words}")


def test_a_killed_chain_without_steps_was_killed() -> None:
    chain = process("RewiringWorkChain", state=ProcessState.KILLED)
    assert why_failed(chain) == f"RewiringWorkChain <{chain.pk}> was killed"


def test_a_failed_calculation_ends_its_work_chain_with_its_own_exit_code() -> None:
    lost = process("BiasedMdCalculation", status=311, message="Atoms left the box", calculation=True)
    report = end_with_exit_code_of(lost)
    assert report.do_break
    assert (report.exit_code.status, report.exit_code.message) == (311, "Atoms left the box")
