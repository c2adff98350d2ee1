"""How fast dumps are read, against ASE on the same file, and with how much memory.

    python benchmarks/dump_reading.py                    # a dump of 50 MB
    python benchmarks/dump_reading.py --megabytes 2000   # the memory of a long one

The dump is made up: two tips' 2480 atoms that shake, six digits a number, as LAMMPS writes them. Speed is measured on
its first 50 MB, each reader in turn several times, and the best time of each counts.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import ase.io
import numpy as np
from rich.console import Console
from rich.table import Table

from aiida_rewire.md.dump import read_frames

MEGABYTE = 1_000_000
SPEED_MEGABYTES = 50
DUMP_INTERVAL = 100
DIFFERENT_FRAMES = 20


def frames_of_tips(atoms: int) -> Iterator[bytes]:
    """Yield dump frames without end, the same few positions over and over, at ever later steps."""
    rng = np.random.default_rng(1)
    places = rng.uniform([-21.0, -21.0, 0.0], [21.0, 21.0, 70.0], (atoms, 3))
    places[: atoms // 10, 2] = 0.0
    potentials = np.where(np.arange(atoms) < atoms // 2, -1.0, 1.0)
    shapes = []
    for _ in range(DIFFERENT_FRAMES):
        positions = places + rng.normal(0.0, 0.1, (atoms, 3)) * (places[:, 2:] > 0.0)
        charges = rng.normal(0.0, 0.05, atoms)
        rows = zip(positions.tolist(), charges.tolist(), potentials.tolist(), strict=True)
        shapes.append(
            "".join(
                f"{number} {1 + number % 4} {x:g} {y:g} {z:g} {q:g} {potential:g}\n"
                for number, ((x, y, z), q, potential) in enumerate(rows, start=1)
            )
        )
    bounds = "-2.5e+01 2.5e+01\n-2.5e+01 2.5e+01\n-5.0e+00 7.5e+01\n"
    step = 0
    while True:
        for rows_of_frame in shapes:
            yield (
                f"ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n{atoms}\nITEM: BOX BOUNDS ff ff ff\n{bounds}"
                f"ITEM: ATOMS id type x y z q v_phi\n{rows_of_frame}"
            ).encode()
            step += DUMP_INTERVAL


def write_dump(path: Path, atoms: int, megabytes: int) -> int:
    """Write a dump of about a size, and return its number of frames."""
    count = 0
    with path.open("wb") as handle:
        for frame in frames_of_tips(atoms):
            handle.write(frame)
            count += 1
            if handle.tell() >= megabytes * MEGABYTE:
                return count
    raise AssertionError


def peak_memory_mb() -> float:
    """Return the largest resident set size of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE


def read_all(path: Path) -> int:
    """Read every number of every frame."""
    return sum(1 for _ in read_frames(path))


def read_one_in_ten(path: Path) -> int:
    """Read one frame in ten, and pass over the rest."""
    return 10 * sum(1 for _ in read_frames(path, wanted=lambda step: step % (10 * DUMP_INTERVAL) == 0))


def read_with_ase(path: Path) -> int:
    """Read every frame with ASE."""
    return len(ase.io.read(path, index=":", format="lammps-dump-text"))


def best_rates(readers: dict[str, Callable[[], int]], repeats: int) -> dict[str, float]:
    """Return frames per second of each reader, which take turns so that all meet the same weather."""
    rates = dict.fromkeys(readers, 0.0)
    for _ in range(repeats):
        for name, reader in readers.items():
            start = time.perf_counter()
            frames = reader()
            rates[name] = max(rates[name], frames / (time.perf_counter() - start))
    return rates


def main() -> None:
    """Make the dumps, read them and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=SPEED_MEGABYTES, help="size of the dump (%(default)s)")
    parser.add_argument("--atoms", type=int, default=2480, help="atoms of the dump (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="how often each reader is run (%(default)s)")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "frames.lammpstrj")
        count = write_dump(plain, options.atoms, options.megabytes)
        # before ASE, which holds all frames
        early, start = 0.0, time.perf_counter()
        for number, _ in enumerate(read_frames(plain), start=1):
            if number == max(1, count // 20):
                early = peak_memory_mb()
        console.print(
            f"{count} frames of {options.atoms} atoms, {plain.stat().st_size / MEGABYTE:.0f} MB, "
            f"{time.perf_counter() - start:.1f} s: "
            f"peak memory {early:.1f} MB after 5 % of the file, {peak_memory_mb():.1f} MB at its end"
        )
        write_dump(plain, options.atoms, min(options.megabytes, SPEED_MEGABYTES))
        packed = Path(f"{plain}.gz")
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(source, target)
        # not ASE on the packed file: it needs minutes for that
        rates = best_rates(
            {
                "ASE": lambda: read_with_ase(plain),
                "all frames": lambda: read_all(plain),
                "one in ten": lambda: read_one_in_ten(plain),
                "all frames, gzip": lambda: read_all(packed),
                "one in ten, gzip": lambda: read_one_in_ten(packed),
            },
            options.repeats,
        )
        table = Table("reader", "frames/s", "times ASE")
        for name, rate in rates.items():
            table.add_row(name, f"{rate:.0f}", f"{rate / rates['ASE']:.1f}")
        console.print(table)


if __name__ == "__main__":
    main()
