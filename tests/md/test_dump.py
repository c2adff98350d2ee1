"""Frames of a recorded dump, whole, cut off and damaged.

``fixtures/md/two-frames.lammpstrj`` is a run of ten steps at 4.5 V of two tips of 14 atoms, as LAMMPS wrote it.
"""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.dump import BrokenDump, DumpReader, Frame, read_frames


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
    arrays = ("positions", "charges", "potentials", "types")
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


def check_cuts(tmp_path: Path, content: bytes, cuts: list[int], frames: list[Frame]) -> set[int]:
    """Return the numbers of frames found in what is left by each cut, after comparing them."""
    numbers = set()
    path = tmp_path / "cut.lammpstrj"
    for cut in cuts:
        path.write_bytes(content[:cut])
        reader = read_frames(path)
        found = list(reader)
        numbers.add(len(found))
        assert all(equal(*pair) for pair in zip(found, frames, strict=False))
        whole = len(content[:cut]) == 0 or content[:cut].endswith(content[-10:])
        assert reader.broken is None or (f"frame {len(found)} of cut" in reader.broken and "\n" not in reader.broken)
        assert (reader.broken is None) <= (whole or content[cut : cut + 14] == b"ITEM: TIMESTEP")
    return numbers


def test_a_last_frame_cut_off_anywhere_is_left_out(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    assert check_cuts(tmp_path, recorded, list(range(len(recorded))), frames) == {0, 1}


def test_a_gzip_file_cut_off_anywhere_keeps_its_whole_frames(
    tmp_path: Path, recorded: bytes, frames: list[Frame]
) -> None:
    second = recorded.index(b"ITEM: TIMESTEP", 10)
    packed = gzip.compress(recorded[:second]) + gzip.compress(recorded[second:])
    found = check_cuts(tmp_path, packed, [*range(1, len(gzip.compress(recorded[:second]))), len(packed) - 1], frames)
    # of the last member only the checksum is cut off
    assert found >= {0, 2}
    path = tmp_path / "whole"
    path.write_bytes(packed)
    reader = read_frames(path)
    assert all(equal(*pair) for pair in zip(reader, frames, strict=True))
    assert reader.broken is None


def test_a_cut_off_frame_that_others_follow_is_refused(tmp_path: Path, recorded: bytes) -> None:
    second = recorded.index(b"ITEM: TIMESTEP", 10)
    for cut in range(1, second):
        with pytest.raises(BrokenDump, match=r"^frame 0 of some\.lammpstrj"):
            read(tmp_path, recorded[:cut] + recorded[second:])


def test_what_was_left_out_is_said(tmp_path: Path, recorded: bytes) -> None:
    path = tmp_path / "some.lammpstrj"
    path.write_bytes(recorded[:-5])
    reader = read_frames(path)
    assert len(list(reader)) == 1
    assert reader.broken == "frame 1 of some.lammpstrj is cut off after 27 of 28 atoms: left out"


def test_frames_after_the_last_step_are_ignored(tmp_path: Path, recorded: bytes) -> None:
    path = tmp_path / "some.lammpstrj"
    second = recorded.index(b"ITEM: TIMESTEP", 10)
    for content in (recorded, recorded[: second + 40], recorded[:second] + b"ITEM: TIMESTEP\ngarbage"):
        path.write_bytes(content)
        reader = read_frames(path, last_step=0)
        assert [frame.step for frame in reader] == [0]
        assert reader.broken is None
    path.write_bytes(recorded)
    assert [frame.step for frame in read_frames(path, last_step=9)] == [0]
    assert [frame.step for frame in read_frames(path, last_step=10)] == [0, 10]


def test_frames_that_are_not_wanted_are_passed_over(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    path = tmp_path / "some.lammpstrj"
    asked = []
    # numbers of a frame that is not wanted are not looked at, its rows are counted
    path.write_bytes(recorded.replace(b"-2.89207", b"nonsense", 1))
    (frame,) = read_frames(path, wanted=lambda step: bool(asked.append(step)) or step == 10)
    assert equal(frame, frames[1])
    assert asked == [0, 10]
    lines = recorded.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:20] + lines[21:]))
    with pytest.raises(BrokenDump, match="has 27 of 28 atoms"):
        list(read_frames(path, wanted=lambda step: step == 10))


def test_steps_that_do_not_increase_are_refused(tmp_path: Path, recorded: bytes) -> None:
    with pytest.raises(BrokenDump, match=r"^frame 2 of .* is of step 0, after one of step 10"):
        read(tmp_path, recorded * 2)


def test_a_dump_from_another_structure_is_refused(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    path = tmp_path / "some.lammpstrj"
    path.write_bytes(recorded)
    types = frames[0].types
    assert len(list(read_frames(path, atoms=28, types=types))) == 2
    with pytest.raises(BrokenDump, match="a dump from another structure: 28 atoms instead of 29"):
        list(read_frames(path, atoms=29))
    other = types.copy()
    other[4] += 1
    with pytest.raises(BrokenDump, match="a dump from another structure: atom 5 is of type"):
        list(read_frames(path, types=other))
    lines = recorded.splitlines(keepends=True)
    with pytest.raises(BrokenDump, match=r"^frame 1 .* not of the structure of those before: atom 3 is of type 7"):
        read(tmp_path, b"".join([*lines[:48], lines[48].replace(b"3 1 ", b"3 7 ", 1), *lines[49:]]))


NUMBERS = [
    b"-2.89207", b"0.1", b"1e-05", b"-1.23457e-310", b"1.7976931348623157e+308", b"9007199254740993", b"5e-324",
    b"0.30000000000000004", b"8.41e21", b"2.2250738585072011e-308", b"123456789012345678901234567890", b".5", b"7.",
    b"+3", b"007", b"9.5367431640625e-07", b"6.0221407600000001e+23", b"-3.9999999999999997",
]  # fmt: skip


@pytest.mark.parametrize("word", NUMBERS)
def test_every_number_is_the_nearest_double(tmp_path: Path, recorded: bytes, word: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    words = lines[50].split()
    words[3] = word
    (_, frame) = read(tmp_path, b"".join([*lines[:50], b" ".join(words) + b"\n", *lines[51:]]))
    assert frame.positions[4, 1].hex() == float(word).hex()
    rng = random.Random(7)  # noqa: S311
    rows = [[*(rng.choice("+-")[rng.random() < 0.5 :] + f"{rng.expovariate(0.1):.{n}g}" for n in range(1, 6))]
            for _ in range(28)]  # fmt: skip
    body = "".join(f"{n} 1 {' '.join(row)}\n" for n, row in enumerate(rows, start=1)).encode()
    (made,) = read(tmp_path, b"".join(lines[:9]) + body)
    expected = np.array([[float(number) for number in row] for row in rows])
    assert np.array_equal(np.column_stack([made.positions, made.charges, made.potentials]), expected)


def test_a_negative_zero_is_a_zero(tmp_path: Path, recorded: bytes) -> None:
    for zero in (b"-0", b"-0.0"):
        frame = read(tmp_path, recorded.replace(b" 0 ", b" " + zero + b" ", 1))[0]
        assert not np.signbit(frame.positions[frame.positions == 0]).any()


def test_numbers_moved_to_the_next_row_are_refused(tmp_path: Path, recorded: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    for at in (12, 50):
        moved = [lines[at].rstrip().rsplit(b" ", 1)[0] + b"\n", lines[at + 1].rstrip() + b" 5\n"]
        with pytest.raises(BrokenDump, match="has 6 columns instead of 7"):
            read(tmp_path, b"".join([*lines[:at], *moved, *lines[at + 2 :]]))


@pytest.mark.parametrize(
    "junk", [b"1]", b"[1", b"[1]", b"{}", b'"1"', b"true", b"null", b"1,1", b"\xff", b"\x00", b"1_0"]
)
def test_what_the_grammar_of_json_allows_is_refused(tmp_path: Path, recorded: bytes, junk: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    for at in (12, 50):
        words = lines[at].split()
        words[4] = junk
        with pytest.raises(BrokenDump, match=r"^frame \d of"):
            read(tmp_path, b"".join([*lines[:at], b" ".join(words) + b"\n", *lines[at + 1 :]]))


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_end_in_frames_or_in_a_broken_dump(tmp_path: Path, recorded: bytes, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311
    packed = gzip.compress(recorded)
    path = tmp_path / "fuzz"
    for _ in range(400):
        content = bytearray(rng.choice([recorded, packed, rng.randbytes(rng.randint(0, 300)), packed[:12]]))
        for _ in range(rng.randint(1, 5)):
            if content:
                content[rng.randrange(len(content))] = rng.randrange(256)
        del content[rng.randint(0, 2 * len(content)) :]
        path.write_bytes(content)
        try:
            for frame in DumpReader(path):
                assert np.isfinite(frame.positions).all()
        except BrokenDump as error:
            assert "\n" not in str(error)
            assert str(error).startswith("frame ")


def test_a_frame_may_lie_across_pieces_of_the_file(
    tmp_path: Path, recorded: bytes, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    for piece in (1, 13, 14, 1000):
        monkeypatch.setattr("aiida_rewire.md.dump_bytes.PIECE", piece)
        assert all(equal(*pair) for pair in zip(read(tmp_path, recorded), frames, strict=True))


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
    with pytest.raises(BrokenDump, match="has an atom twice"):
        read(tmp_path, b"".join([*lines[:20], lines[19], *lines[21:]]))


def test_atoms_of_one_type_may_change_places(tmp_path: Path, recorded: bytes, frames: list[Frame]) -> None:
    lines = recorded.splitlines(keepends=True)
    swapped = [*lines[:46], lines[47], lines[46], *lines[48:]]
    assert equal(read(tmp_path, b"".join(swapped))[1], frames[1])


@pytest.mark.parametrize("junk", [b"(", b"#", b"\x00", b",", b"+"])
def test_garbage_between_numbers_is_refused(tmp_path: Path, recorded: bytes, junk: bytes) -> None:
    lines = recorded.splitlines(keepends=True)
    for at in (12, 50):
        with pytest.raises(BrokenDump, match="has 6 columns instead of 7"):
            read(tmp_path, b"".join([*lines[:at], lines[at].replace(b" ", junk, 1), *lines[at + 1 :]]))


def test_a_dump_without_a_column_is_refused(tmp_path: Path, recorded: bytes) -> None:
    with pytest.raises(BrokenDump, match="v_phi"):
        read(tmp_path, recorded.replace(b"z q v_phi", b"z q c_pot"))


@pytest.mark.parametrize(
    "content",
    [b"\n\n\n", b"not a dump\n", bytes(range(256)) * 20, b"\x00" * 500, b"\xff\xfe" * 300],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BrokenDump):
        read(tmp_path, content)


def test_an_empty_file_has_no_frames(tmp_path: Path) -> None:
    for content in (b"", gzip.compress(b"")):
        assert read(tmp_path, content) == []


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
