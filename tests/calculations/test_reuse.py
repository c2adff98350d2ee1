"""Which finished calculations stand for one that is asked for again."""

from pathlib import Path

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import CalculationFactory

ENTRY_POINTS = ("rewire.ld1", "rewire.md", "rewire.pw", "rewire.pwcond", "rewire.readback")


def finished(entry_point: str, computer: orm.Computer, scratch: Path, exit_status: int) -> orm.CalcJobNode:
    node = orm.CalcJobNode(computer=computer, process_type=f"aiida.calculations:{entry_point}")
    node.set_process_state("finished")
    node.set_exit_status(exit_status)
    node.store()
    scratch.mkdir(exist_ok=True)
    (scratch / "some.file").touch()
    remote = orm.RemoteData(remote_path=str(scratch), computer=computer)
    remote.base.links.add_incoming(node, LinkType.CREATE, "remote_folder")
    remote.store()
    node.seal()
    return node


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_run_that_ended_well_is_reused(entry_point: str, aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    node = finished(entry_point, aiida_localhost, tmp_path / "scratch", 0)
    assert CalculationFactory(entry_point).is_valid_cache(node)


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_a_run_that_failed_is_not_reused(entry_point: str, aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    # a job of dynamics that ended at a checkpoint is as good as one that came to the end
    for exit_status in (310, 401) if entry_point == "rewire.md" else (310, 400):
        node = finished(entry_point, aiida_localhost, tmp_path / "scratch", exit_status)
        assert not CalculationFactory(entry_point).is_valid_cache(node)


def test_a_job_that_ended_at_a_checkpoint_is_reused_with_its_scratch(
    aiida_localhost: orm.Computer, tmp_path: Path
) -> None:
    calculation = CalculationFactory("rewire.md")
    assert calculation.exit_codes.ERROR_UNFINISHED.status == 400
    node = finished("rewire.md", aiida_localhost, tmp_path / "scratch", 400)
    assert calculation.is_valid_cache(node)
    (tmp_path / "scratch" / "some.file").unlink()
    assert not calculation.is_valid_cache(node)


@pytest.mark.parametrize("how", ["marked", "emptied", "gone"])
def test_a_run_whose_scratch_is_gone_is_not_reused(how: str, aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    node = finished("rewire.pw", aiida_localhost, scratch, 0)
    assert CalculationFactory("rewire.pw").is_valid_cache(node)
    if how == "marked":
        node.outputs.remote_folder.base.extras.set("cleaned", True)
    else:
        (scratch / "some.file").unlink()
        if how == "gone":
            scratch.rmdir()
    assert not CalculationFactory("rewire.pw").is_valid_cache(node)
