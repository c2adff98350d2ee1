"""Steps of work chains that run again: what was started is found, and what nobody can run is started anew."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, WorkChain, calcfunction, run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from plumpy.process_states import ProcessState

from aiida_rewire.workflows.steps import CHECKPOINT, RepeatableSteps

pytestmark = pytest.mark.usefixtures("aiida_profile")


@calcfunction
def doubled(number: orm.Int) -> orm.Int | ExitCode:
    """Return twice a number; 13 is refused, and 0 is an error."""
    if number.value == 13:
        return ExitCode(210, "not thirteen")
    return orm.Int(2 * number.value + 0 // number.value)


class Leaf(WorkChain):
    """Does nothing."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.rest)

    def rest(self) -> None:
        """Rest."""


class Trunk(RepeatableSteps, WorkChain):
    """Starts two leaves and runs a function, in steps that are taken more than once."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        super().define(spec)
        spec.outline(cls.begin, cls.begin, cls.end)
        spec.output("seen", valid_type=orm.List)

    def begin(self) -> ToContext:
        """Start what is below, twice."""
        seen = self.ctx.setdefault("seen", [])
        for _ in range(2):
            leaves = [self.submit(Leaf, metadata={"call_link_label": f"leaf_{number}"}) for number in range(2)]
            node = self.once(doubled, "doubled", orm.Int(21))
            seen.append([*(leaf.pk for leaf in leaves), node.outputs.result.pk])
        return ToContext(**{f"leaf_{number}": leaf for number, leaf in enumerate(leaves)})

    def end(self) -> None:
        """Hand out what each time gave."""
        self.out("seen", orm.List(self.ctx.seen).store())


@pytest.fixture
def trunk() -> Iterator[Trunk]:
    """A work chain in the middle of a step."""
    process = instantiate_process(get_manager().get_runner(), Trunk)
    with process._process_scope():
        yield process


def leaf_below(trunk: Trunk) -> orm.WorkChainNode:
    """A child that was stored, and that a worker could begin with."""
    node = trunk.runner.instantiate_process(Leaf, metadata={"call_link_label": "leaf"}).node
    node.base.attributes.set(CHECKPOINT, "of the first state")
    return node


def test_each_child_is_started_once_however_often_its_step_runs() -> None:
    outputs, node = run_get_node(Trunk)
    assert node.is_finished_ok
    seen = outputs["seen"].get_list()
    assert len(seen) == 4
    assert len({tuple(pks) for pks in seen}) == 1
    assert len(set(seen[0])) == 3
    assert sorted(child.process_label for child in node.called) == ["Leaf", "Leaf", "doubled"]
    assert orm.load_node(seen[0][2]).value == 42


def test_a_child_without_a_label_of_its_own_is_never_taken_for_another(trunk: Trunk) -> None:
    assert trunk.submit(Leaf).pk != trunk.submit(Leaf).pk
    assert trunk.child("") is None
    assert trunk.child("CALL") is not None


@pytest.mark.parametrize("state", [ProcessState.CREATED, ProcessState.RUNNING, ProcessState.WAITING])
def test_a_child_that_a_worker_can_go_on_with_is_found(trunk: Trunk, state: ProcessState) -> None:
    leaf = leaf_below(trunk)
    leaf.set_process_state(state)
    found = trunk.submit(Leaf, metadata={"call_link_label": "leaf"})
    assert found.pk == leaf.pk
    assert trunk.child("another") is None


@pytest.mark.parametrize("state", [ProcessState.FINISHED, ProcessState.EXCEPTED, ProcessState.KILLED])
def test_a_child_that_ended_is_not_tried_again_by_the_step_that_started_it(trunk: Trunk, state: ProcessState) -> None:
    leaf = leaf_below(trunk)
    leaf.set_process_state(state)
    leaf.base.attributes.delete(CHECKPOINT)
    assert trunk.submit(Leaf, {"metadata": {"call_link_label": "leaf"}}).pk == leaf.pk


@pytest.mark.parametrize("state", [ProcessState.CREATED, None])
def test_a_stillborn_child_is_passed_over(trunk: Trunk, state: ProcessState | None) -> None:
    stillborn = leaf_below(trunk)
    stillborn.base.attributes.delete(CHECKPOINT)
    stillborn.set_process_state(state)
    assert trunk.child("leaf") is None
    living = trunk.submit(Leaf, metadata={"call_link_label": "leaf"})
    assert living.pk != stillborn.pk
    living.base.attributes.set(CHECKPOINT, "of the first state")
    # and the one in its place is found from then on
    assert trunk.submit(Leaf, metadata={"call_link_label": "leaf"}).pk == living.pk


def test_a_function_whose_end_nobody_saw_runs_again_and_once(trunk: Trunk) -> None:
    interrupted = trunk.once(doubled, "doubled", orm.Int(1))
    # as if it had been killed within
    unsealed: Any = interrupted.backend_entity
    unsealed.set_attribute("process_state", ProcessState.RUNNING.value)
    second = trunk.once(doubled, "doubled", orm.Int(1))
    assert second.pk != interrupted.pk
    assert trunk.once(doubled, "doubled", orm.Int(1)).pk == second.pk


def test_a_function_that_ended_with_an_exit_code_has_run(trunk: Trunk) -> None:
    refused = trunk.once(doubled, "refused", orm.Int(13))
    assert (refused.exit_status, refused.exit_message) == (210, "not thirteen")
    assert trunk.once(doubled, "refused", orm.Int(13)).pk == refused.pk


def test_a_function_that_excepted_is_tried_again(trunk: Trunk) -> None:
    with pytest.raises(ZeroDivisionError):
        trunk.once(doubled, "doubled", orm.Int(0))
    node = trunk.once(doubled, "doubled", orm.Int(3))
    assert node.outputs.result.value == 6
    assert [child.is_excepted for child in trunk.children("doubled")] == [True, False]
