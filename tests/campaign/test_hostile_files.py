"""Nothing that a hostile or broken campaign file can do: it ends in clear lines."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from campaign_files import FULL, text_of

from aiida_rewire.campaign.reading import CampaignErrors, read_campaign, spec_of
from aiida_rewire.campaign.source import LARGEST_BYTES, MOST_VALUES
from aiida_rewire.campaign.specification import CampaignSpec


def errors(text: str) -> list[str]:
    with pytest.raises(CampaignErrors) as caught:
        spec_of(text, "file")
    return caught.value.errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: the file is empty; `aiida-rewire campaign new` writes one"),
        ("# nothing\n---\n...\n", "1: the file is empty"),
        ("[1, 2]", "1: the file is no mapping"),
        ("label", "1: the file is no mapping"),
        ("a: &x 1\nb: *x\n", "1: an anchor (&) or alias (*): must be left out; write the value where it belongs"),
        ("a: 1\nb: *x\n", "2: an anchor (&) or alias (*)"),
        ("a: 1\n*x : 1\n", "2: a key: must be a plain word"),
        ("a: !!python/object/apply:os.system ['id']", "1: the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("!!python/name:os.system {}", "1: the tag "),
        ("a: !!int 3", "1: the tag "),
        ("!!str a: 3", "1: a key: must be a plain word"),
        ("a: !include /etc/passwd", "1: the tag '!include': must be left out"),
        ("? [a]\n: 1", "1: a key: must be a plain word"),
        ("a: 1\n\tb: 2\n", "2: no YAML: while scanning for the next token"),
        ("a: [1, 2\nb: 3\n", "2: no YAML: while parsing a flow sequence"),
        ("a: 'x\n", "2: no YAML: while scanning a quoted scalar"),
        ("a: \x00", "1: no YAML: unacceptable character #x0000"),
        ("a: 1\nb: \x07", "2: no YAML: unacceptable character #x0007"),
        ('a: "x\\0y"', r"1: 'x\x00y': must be free of control characters"),
        ('"a\\a": 1', r"1: 'a\x07': must be free of control characters"),
        ('a: "\\ud800"', r"1: '\ud800': must be free of control characters"),
        ("a: 1\n---\nb: 2\n", "2: a second document begins; make a file of each"),
        ("a: " + "9" * 5000, "must have at most 18 digits"),
        ("%YAML 3.0\n---\na: 1", "1: no YAML: found incompatible YAML document"),
        ("a: " + "[" * 21 + "]" * 21, "1: nested deeper than 20"),
        ("[" * 900_000, "1: nested deeper than 20"),
        ("a: {" * 200_000, "1: nested deeper than 20"),
        ("- " * 400_000, "1: nested deeper than 20"),
        ("a: b\n" * 190_000, f"more than {MOST_VALUES} values"),
        ("a: [" + "1," * 300_000 + "]", f"more than {MOST_VALUES} values"),
        ("x" * (LARGEST_BYTES + 1), "1: size = 1000001 characters: must be at most 1000000"),
    ],
)  # fmt: skip
def test_a_hostile_file_ends_in_one_clear_line(text: str, said: str) -> None:
    start = time.process_time()
    (line,) = errors(text)
    assert said in line
    assert line.startswith("file:")
    assert len(line) < 400
    assert line.isprintable()
    assert time.process_time() - start < 8


def test_an_alias_bomb_is_not_unfolded() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert errors(bomb) == ["file:1: an anchor (&) or alias (*): must be left out; write the value where it belongs"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", ":1: byte 0 is no UTF-8; save the file as UTF-8 text"),
        (b"label: x\ndescription: \xe9t\xe9\n", ":2: byte 22 is no UTF-8"),
        (b"label: x\n" * (10_000_000 // 9), ":1: size = above 1000000 bytes: must be at most that"),
        (b"\0" * 1000, ":1: no YAML: unacceptable character #x0000"),
        (None, ":1: cannot be read: No such file or directory; `aiida-rewire campaign new` writes one"),
    ],
)
def test_what_is_no_text_ends_in_one_clear_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "campaign.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CampaignErrors) as caught:
        read_campaign(path)
    (line,) = caught.value.errors
    assert line.startswith(f"{path}{said}")


def test_a_folder_and_a_marked_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CampaignErrors, match="cannot be read: Is a directory"):
        read_campaign(tmp_path)
    path = tmp_path / "campaign.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert read_campaign(path) == spec_of(FULL, "file")


def test_random_bytes_end_in_errors(tmp_path: Path) -> None:
    chance = random.Random(20240117)  # noqa: S311 (the same mistakes every time)
    path = tmp_path / "campaign.yaml"
    for _ in range(300):
        path.write_bytes(chance.randbytes(chance.randrange(1, 200)))
        with pytest.raises(CampaignErrors) as caught:
            read_campaign(path)
        assert all(line.startswith(f"{path}:") for line in caught.value.errors)


MUTANTS = [
    "\t",
    "\0",
    ":",
    "- ",
    "&a ",
    "*a ",
    "!!",
    "{",
    "]",
    "'",
    '"',
    "#",
    "|",
    "\n",
    "?",
    "%",
    "-1",
    "true",
    "1e400",
]


def test_mutated_files_are_read_or_end_in_errors() -> None:
    chance = random.Random(5)  # noqa: S311 (the same mistakes every time)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(150):
        text = FULL
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(text))
            how = chance.randrange(3)
            if how == 0:
                text = text[:place] + chance.choice(MUTANTS) + text[place:]
            elif how == 1:
                text = text[:place] + text[place + chance.randrange(1, 10) :]
            else:
                other = chance.randrange(len(text))
                text = text[:place] + text[other : other + 30] + text[place:]
        try:
            spec_of(text, "file")
            outcomes["read"] += 1
        except CampaignErrors as error:
            outcomes["refused"] += 1
            assert error.errors
            for line in error.errors:
                assert line.startswith("file:")
                assert line.isprintable(), line
    # comments and names can be changed, most else cannot
    assert outcomes["refused"] > outcomes["read"] > 0


def test_values_of_any_kind_at_any_place_end_in_errors() -> None:
    values: list[Any] = [None, True, -1, 1e300, [], {}, {"x": {}}, [None], "x" * 3000]
    places = [name for name in CampaignSpec.model_fields if name != "description"]
    places += [f"{owner}.{name}" for owner in ("md", "snapshots") for name in ("voltages", "seeds", "lanes", "bias")]
    places += ["overrides.junction", "overrides.production.dump_interval", "overrides.production.timestep_fs"]
    places += ["overrides.pwcond.kpoints", "overrides.md.options", "overrides.scf.options", "resources.md", "x"]
    places += ["overrides.md.options.resources", "overrides.pwcond.options.resources", "overrides.x.y"]
    for number, place in enumerate(places):
        for value in values[number % 3 :: 3]:
            try:
                spec_of(text_of({place: value}), "file")
            except CampaignErrors as error:
                assert all(line.isprintable() and len(line) < 1000 for line in error.errors)
