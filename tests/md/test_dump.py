"""Frames of a recorded dump, whole, cut off and damaged.

``fixtures/md/two-frames.lammpstrj`` is a run of ten steps at 4.5 V of two tips of 14 atoms, as LAMMPS wrote it.
"""

import random
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.dump import BrokenDump, Frame, read_frames


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> bytes:
    """The dump as LAMMPS wrote it."""
    return (fixtures / "md" / "two-frames.lammpstrj").read_bytes()


@pytest.fixture(scope="module")
def frames(fixtures: Path) -> list[Frame]:
    """Both frames."""
    return list(read_frames(fixtures / "md" / "two-frames.lammpstrj"))


def read(tmp_path: Path, content: bytes) -> list[Frame]:
    path = tmp_path / "some.lammpstrj"
    path.write_bytes(content)
    return list(read_frames(path))


def equal(one: Frame, other: Frame) -> bool:
    arrays = ("positions", "charges", "potentials")
    return one.step == other.step and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)


def test_the_frames_are_those_of_the_run(frames: list[Frame]) -> None:
    assert [frame.step for frame in frames] == [0, 10]
    tips = build_tips(base_side=3, gap=5.0)
    # LAMMPS writes six digits
    assert frames[0].positions == pytest.approx(tips.positions, abs=1e-4)
    moved = np.linalg.norm(frames[1].positions - frames[0].positions, axis=1)
    fixed = np.array([str(region).endswith("base") for region in tips.regions])
    assert moved[fixed].max() == 0.0
    # 800 K for 10 fs: a few hundredths of an Å
    assert 0.005 < moved[~fixed].mean() < 0.1


def test_charges_and_potentials_are_those_of_the_electrodes(frames: list[Frame]) -> None:
    for frame in frames:
        assert frame.potentials.tolist() == [-2.25] * 14 + [2.25] * 14
        assert frame.charges[:14].mean() > 0.01
        assert frame.charges.sum() == pytest.approx(0.0, abs=1e-5)


def test_atoms_come_in_the_order_of_their_numbers(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    lines = recorded.decode().splitlines()
    shuffled = [*lines[:9], *reversed(lines[9:37]), *lines[37:46], *reversed(lines[46:])]
    read_back = read(tmp_path, ("\n".join(shuffled) + "\n").encode())
    assert all(equal(*pair) for pair in zip(read_back, frames, strict=True))


def test_a_dump_that_is_cut_off_gives_only_frames_as_they_were(
    tmp_path: Path, recorded: bytes, frames: list[Frame]
) -> None:
    second = recorded.index(b"ITEM: TIMESTEP", 10)
    ends = (*range(second - 30, second + 30), *range(len(recorded) - 30, len(recorded)))
    wrong, numbers = [], set()
    for cut in sorted({*range(0, len(recorded), 23), *ends}):
        try:
            found = read(tmp_path, recorded[:cut])
        except BrokenDump:
            continue
        numbers.add(len(found))
        if not all(equal(*pair) for pair in zip(found, frames, strict=False)):
            wrong.append(recorded[:cut][-15:])
    assert wrong == []
    # a number at the end of what is left may have lost digits: only whole frames count
    assert numbers == {1}


def test_a_dump_cut_off_between_frames_has_fewer(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    first = recorded[: recorded.index(b"ITEM: TIMESTEP", 10)]
    (frame,) = read(tmp_path, first)
    assert equal(frame, frames[0])


@pytest.mark.parametrize("number", [b"nan", b"NaN", b"inf", b"-inf", b"1e999", b"abc", b"*****", b"--"])
def test_a_number_that_is_none_is_refused(tmp_path: Path, recorded: bytes, number: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    for column in range(2, 7):
        words = lines[50].split()
        words[column] = number
        damaged = b"".join([*lines[:50], b" ".join(words) + b"\n", *lines[51:]])
        with pytest.raises(BrokenDump, match=r"^frame 1 of some\.lammpstrj"):
            read(tmp_path, damaged)


def test_a_frame_without_one_of_its_atoms_is_refused(tmp_path: Path, recorded: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    with pytest.raises(BrokenDump, match="has 27 of 28 atoms"):
        read(tmp_path, b"".join(lines[:20] + lines[21:]))


def test_a_frame_with_an_atom_twice_is_refused(tmp_path: Path, recorded: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    with pytest.raises(BrokenDump):
        read(tmp_path, b"".join([*lines[:20], lines[19], *lines[21:]]))


def test_a_dump_without_a_column_is_refused(tmp_path: Path, recorded: bytes) -> None:
    with pytest.raises(BrokenDump, match="d_phi"):
        read(tmp_path, recorded.replace(b"z q d_phi", b"z q c_pot"))


@pytest.mark.parametrize(
    "content",
    [b"\n\n\n", b"not a dump\n", bytes(range(256)) * 20, b"\x00" * 500, b"ITEM: TIMESTEP\n", b"\xff\xfe" * 300],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BrokenDump):
        read(tmp_path, content)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenDump):
        read(tmp_path, b"")


def test_a_frame_of_no_atoms_is_refused(tmp_path: Path, recorded: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    with pytest.raises(BrokenDump):
        read(tmp_path, b"".join([*lines[:3], b"0\n", *lines[4:9]]))


def test_damage_is_refused_or_harmless(tmp_path: Path, recorded: bytes) -> None:
    rng = random.Random(20240)  # noqa: S311
    for _ in range(250):
        content = bytearray(recorded)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(content))
            kind = rng.randrange(3)
            if kind == 0:
                content[at] = rng.randrange(256)
            elif kind == 1:
                del content[at : at + rng.randint(1, 80)]
            else:
                content[at:at] = rng.randbytes(rng.randint(1, 20))
        path = tmp_path / "damaged.lammpstrj"
        path.write_bytes(bytes(content))
        try:
            found = list(read_frames(path))
        except BrokenDump:
            continue
        for frame in found:
            assert np.isfinite(frame.positions).all()
            assert frame.positions.shape == (len(frame.charges), 3)


def test_only_one_frame_is_held_at_a_time(tmp_path: Path, recorded: bytes) -> None:
    path = tmp_path / "long.lammpstrj"
    path.write_bytes(recorded + b"ITEM: TIMESTEP\nbroken\n")
    reader = read_frames(path)
    assert [next(reader).step, next(reader).step] == [0, 10]
    with pytest.raises(BrokenDump, match=r"^frame 2 of"):
        next(reader)


def test_a_name_with_wildcards_is_one_file(tmp_path: Path, recorded: bytes) -> None:
    (tmp_path / "a1.lammpstrj").write_bytes(b"nonsense")
    path = tmp_path / "a[1].lammpstrj"
    path.write_bytes(recorded)
    assert len(list(read_frames(path))) == 2
