"""The dumps of a run's segments, one after the other, as one stream of frames."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.md.dump import DumpReader, Frame


def read_trajectory(
    segments: Iterable[tuple[Path, int | None]],
    *,
    wanted: Callable[[int], bool] | None = None,
    atoms: int | None = None,
    types: NDArray[np.int64] | None = None,
) -> TrajectoryReader:
    """Return an iterator over the frames of a run that was continued: see `TrajectoryReader`."""
    return TrajectoryReader(segments, wanted=wanted, atoms=atoms, types=types)


class TrajectoryReader(Iterator[Frame]):
    """The frames of a run's segments, of which one at a time is in memory.

    Parameters
    ----------
    segments
        Dump of each segment in the order of the run, and the step from which the next one went on (None: all of the
        dump counts). A frame in which one dump ends and the next begins is given once.
    wanted, atoms, types
        As of `DumpReader`, for all segments; without ``atoms`` and ``types`` the first segment sets them.

    Attributes
    ----------
    broken
        A line for every segment at whose end something was left out.

    Raises
    ------
    BrokenDump
        While iterating, if a dump is broken or not of the same structure, or steps do not increase from one segment
        to the next.
    """

    def __init__(
        self,
        segments: Iterable[tuple[Path, int | None]],
        *,
        wanted: Callable[[int], bool] | None = None,
        atoms: int | None = None,
        types: NDArray[np.int64] | None = None,
    ) -> None:
        self.broken: list[str] = []
        self._frames = self._read(segments, wanted, atoms, types)

    def __next__(self) -> Frame:
        """Return the next frame that is wanted."""
        return next(self._frames)

    def _read(
        self,
        segments: Iterable[tuple[Path, int | None]],
        wanted: Callable[[int], bool] | None,
        atoms: int | None,
        types: NDArray[np.int64] | None,
    ) -> Generator[Frame, None, None]:
        after = None
        for path, last_step in segments:
            reader = DumpReader(path, wanted=wanted, last_step=last_step, after=after, atoms=atoms, types=types)
            yield from reader
            if reader.broken is not None:
                self.broken.append(reader.broken)
            after, atoms, types = reader.step, reader.atoms, reader.types
