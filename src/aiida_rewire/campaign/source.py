"""The text of a YAML file: plain values, and the line of each.

Of YAML only what campaigns and sites need is taken: mappings, lists and values, as YAML 1.2 reads them (1e-3 is a
number, 1:30 and `yes` are text). Tags, anchors and aliases, by which a file could run code or grow without end, are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""Keys and positions that lead to a value."""

LARGEST_BYTES = 1_000_000
DEEPEST = 20
MOST_VALUES = 25_000
MOST_DIGITS = 18
LONGEST_SHOWN = 60

CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
WHOLE = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = {".nan": "nan", ".inf": "inf", "+.inf": "inf", "-.inf": "-inf"}
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class BadSource(ValueError):
    """A text that is no such file.

    Attributes
    ----------
    line
        From 1.
    """

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Problem:
    """What is wrong with a value, and what to do about it.

    Attributes
    ----------
    place
        Where in the file.
    text
        ``field.path = value: must be bound; way out``.
    line
        Where it is not that of the place.
    """

    place: Place
    text: str
    line: int | None = None


@dataclass(frozen=True)
class Source:
    """A file that was read.

    Attributes
    ----------
    name
        Of the file, as it stands before each message.
    values
        What it says.
    lines
        Line of each place, from 1.
    repeated
        Keys that are given more than once.
    """

    name: str
    values: Any
    lines: dict[Place, int] = field(default_factory=dict)
    repeated: tuple[Problem, ...] = ()

    def line_of(self, place: Place) -> int:
        """Return the line of a place, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def messages(self, problems: Iterable[Problem]) -> list[str]:
        """Return problems as lines that an editor can follow, in the order of the file."""
        lines = [(problem.line or self.line_of(problem.place), problem.text) for problem in problems]
        lines.sort(key=lambda found: found[0])
        return [f"{self.name}:{line}: {' '.join(text.split())}" for line, text in lines]


def overlap(one: Place, other: Place) -> bool:
    """Whether one place is the other, or holds it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def dotted(place: Place) -> str:
    """Write a place as people do: md.voltages[1]."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{shown_key(part)}"
    return text


def shown_key(key: str) -> str:
    """Return a key as it can be printed."""
    return key if re.fullmatch(r"[\w@.+-]{1,60}", key) else shown(key)


def shown(value: Any) -> str:
    """Return a value as it can be printed: in one line, and not too long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)) and len(value) > LONGEST_SHOWN:
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    OSError
        If it cannot be read.
    BadSource
        If it is too large, or no UTF-8.
    """
    try:
        with path.open("rb") as handle:
            content = handle.read(LARGEST_BYTES + 1)
    except ValueError as error:
        raise BadSource(1, f"cannot be read: {error}; correct its name") from error
    if len(content) > LARGEST_BYTES:
        raise BadSource(1, f"size = above {LARGEST_BYTES} bytes: must be at most that; a screen or two is usual")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadSource(line, f"byte {error.start} is no UTF-8; save the file as UTF-8 text") from error


def parse(text: str, name: str) -> Source:
    """Read the text of a file.

    Raises
    ------
    BadSource
        If it is no YAML, or more of YAML than is taken.
    """
    if len(text) > LARGEST_BYTES:
        raise BadSource(1, f"size = {len(text)} characters: must be at most {LARGEST_BYTES}; shorten it")
    reader = _Reader(text)
    try:
        values = reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise BadSource(mark.line + 1 if mark else 1, f"no YAML: {reason}; correct the line") from error
    except yaml.YAMLError as error:
        # a character that YAML does not allow has a position, but no line
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        raise BadSource(line, f"no YAML: {' '.join(str(error).split())}; take it out") from error
    return Source(name, values, reader.lines, tuple(reader.repeated))


class _Reader:
    """Values and their lines from the events of the YAML parser."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        self.lines: dict[Place, int] = {}
        self.repeated: list[Problem] = []
        self.count = 0

    def read(self) -> Any:
        """Return the values of the only document."""
        values = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise BadSource(_line(event), "a second document begins; make a file of each")
            elif isinstance(event, yaml.NodeEvent):
                values = self.node(event, ())
        return values

    def node(self, event: Any, place: Place) -> Any:
        """Return the value that begins with an event."""
        line = _line(event)
        self.lines[place] = line
        self.count += 1
        if self.count > MOST_VALUES:
            raise BadSource(line, f"more than {MOST_VALUES} values; make several files of it")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise BadSource(line, "an anchor (&) or alias (*): must be left out; write the value where it belongs")
        if event.tag is not None:
            raise BadSource(line, f"the tag {shown(event.tag)}: must be left out; write plain values")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if len(place) >= DEEPEST:
            raise BadSource(line, f"nested deeper than {DEEPEST}; flatten it")
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(place)
        return self.mapping(place)

    def sequence(self, place: Place) -> list[Any]:
        """Return a list whose beginning was read."""
        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self.node(event, (*place, len(values))))
        return values

    def mapping(self, place: Place) -> dict[str, Any]:
        """Return a mapping whose beginning was read; of keys that are repeated the first counts."""
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor is not None or event.tag is not None:
                raise BadSource(_line(event), "a key: must be a plain word; write `key: value`")
            key, line = _checked(event), _line(event)
            first = self.lines.get((*place, key))
            if first is None:
                values[key] = self.node(next(self.events), (*place, key))
                self.lines[(*place, key)] = line
                continue
            # read, but under a place of its own
            self.node(next(self.events), (*place, f"{key} again"))
            where = dotted((*place, key))
            text = f"{where} = given again: must be given once, as on line {first}; leave one out"
            self.repeated.append(Problem((*place, key), text, line))
        return values


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _checked(event: Any) -> str:
    text = str(event.value)
    if UNPRINTABLE.search(text):
        raise BadSource(_line(event), f"{shown(text)}: must be free of control characters; take them out")
    return text


def _scalar(event: Any) -> Any:
    """Read a value as YAML 1.2 does; what is quoted is text."""
    text = _checked(event)
    if not event.implicit[0]:
        return text
    if text in CONSTANTS:
        return CONSTANTS[text]
    if text.lower() in SPECIAL:
        return float(SPECIAL[text.lower()])
    if WHOLE.fullmatch(text):
        if len(text) > MOST_DIGITS:
            raise BadSource(_line(event), f"{shown(text)}: must have at most {MOST_DIGITS} digits; shorten it")
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text
