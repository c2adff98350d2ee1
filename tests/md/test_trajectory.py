"""Frames of a run in several segments, from copies of a recorded dump."""

import re
from pathlib import Path

import pytest

from aiida_rewire.md.dump import BrokenDump
from aiida_rewire.md.trajectory import read_trajectory


@pytest.fixture
def segment(tmp_path: Path, fixtures: Path):
    """Write a dump of the recorded frames at other steps."""
    recorded = (fixtures / "md" / "two-frames.lammpstrj").read_bytes()
    frame = recorded[: recorded.index(b"ITEM: TIMESTEP", 10)]

    def write(name: str, *steps: int, cut: int | None = None) -> Path:
        path = tmp_path / name
        frames = [re.sub(rb"\n0\n", b"\n%d\n" % step, frame, count=1) for step in steps]
        path.write_bytes(b"".join(frames)[:cut])
        return path

    return write


def steps_of(*segments: tuple[Path, int | None]) -> list[int]:
    return [frame.step for frame in read_trajectory(segments)]


def test_a_frame_at_the_seam_is_given_once(segment) -> None:
    first, second = segment("a", 0, 10, 20), segment("b", 20, 30)
    assert steps_of((first, None), (second, None)) == [0, 10, 20, 30]
    wanted = read_trajectory([(first, None), (second, None)], wanted=lambda step: step >= 20)
    assert [frame.step for frame in wanted] == [20, 30]


def test_what_was_written_after_the_checkpoint_is_given_by_the_next_segment(segment) -> None:
    first, second = segment("a", 0, 10, 20, 30), segment("b", 20, 30)
    assert steps_of((first, 20), (second, None)) == [0, 10, 20, 30]
    assert steps_of((first, 15), (second, None)) == [0, 10, 20, 30]


def test_a_frame_cut_off_at_the_seam_is_given_by_the_next_segment(segment) -> None:
    first, second = segment("a", 0, 10, 20, cut=-7), segment("b", 20, 30)
    reader = read_trajectory([(first, None), (second, None)])
    assert [frame.step for frame in reader] == [0, 10, 20, 30]
    assert reader.broken == ["frame 2 of a is cut off after 27 of 28 atoms: left out"]


def test_an_empty_segment_changes_nothing(segment) -> None:
    assert steps_of((segment("a", 0, 10), None), (segment("b"), None), (segment("c", 10, 20), None)) == [0, 10, 20]


def test_steps_must_increase_over_the_seams(segment) -> None:
    with pytest.raises(BrokenDump, match="frame 0 of b is of step 10, after one of step 20"):
        steps_of((segment("a", 0, 10, 20), None), (segment("b", 10, 20, 30), None))
    with pytest.raises(BrokenDump, match="frame 1 of b is of step 20, after one of step 20"):
        steps_of((segment("a", 0, 10, 20), None), (segment("b", 20, 20), None))


def test_all_segments_are_of_one_structure(segment) -> None:
    first, second = segment("a", 0, 10), segment("b", 20)
    second.write_bytes(second.read_bytes().replace(b"\n3 1 ", b"\n3 2 "))
    with pytest.raises(BrokenDump, match="frame 0 of b is in a dump from another structure: atom 3 is of type 2"):
        steps_of((first, None), (second, None))
    with pytest.raises(BrokenDump, match="another structure: 28 atoms instead of 27"):
        list(read_trajectory([(first, None)], atoms=27))
