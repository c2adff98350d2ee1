"""What the demo's chain is made of: codes, force field and pseudopotential as nodes."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.executables import find_executable
from aiida_rewire.cli.home import COMPUTER, DemoFailure
from aiida_rewire.fixtures import fixture_path

if TYPE_CHECKING:
    from aiida import orm

DRIVER = "md"
"""Label of the Python that imports LAMMPS's module."""

LD1 = "ld1"

PROGRAMS = {
    DRIVER: ("python", "rewire.md"),
    "lmp": ("lmp", "rewire.md"),
    "pw": ("pw.x", "rewire.pw"),
    "pp": ("pp.x", "rewire.readback"),
    "pwcond": ("pwcond.x", "rewire.pwcond"),
    LD1: ("ld1.x", "rewire.ld1"),
}
"""Label of the code: the program and the entry point that runs it."""

ONE_THREAD = "export OMP_NUM_THREADS=1\n"
PSEUDO_FAMILY = "rewire/frozen-d"


def find_programs(labels: Iterable[str] = tuple(PROGRAMS)) -> dict[str, Path]:
    """Return the path of each program by the label of its code; of those with these labels, and of the driver.

    Raises
    ------
    DemoFailure
        If one is missing.
    """
    found = {label: find_executable(program) for label, (program, _) in PROGRAMS.items() if label in labels}
    found[DRIVER] = Path(sys.executable)
    missing = [PROGRAMS[label][0] for label, path in found.items() if path is None]
    # AiiDA asks ps which jobs run, and takes all for done where there is none
    missing += ["ps"] if find_executable("ps") is None else []
    if missing:
        raise DemoFailure(
            f"{', '.join(missing)}: not on PATH; `aiida-rewire doctor` says how to install what is missing"
        )
    return {label: path for label, path in found.items() if path is not None}


def load_codes(programs: dict[str, Path]) -> dict[str, orm.InstalledCode]:
    """Return the codes, registered anew where a program lies elsewhere than before."""
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    computer = orm.load_computer(COMPUTER)
    codes = {}
    for label, path in programs.items():
        try:
            code = orm.load_code(f"{label}@{COMPUTER}")
            if str(code.filepath_executable) == str(path):
                codes[label] = code
                continue
            code.label = f"{label}-until-{code.pk}"
        except NotExistent:
            pass
        codes[label] = orm.InstalledCode(
            label=label,
            computer=computer,
            filepath_executable=str(path),
            default_calc_job_plugin=PROGRAMS[label][1],
            prepend_text=ONE_THREAD,
        ).store()
    return codes


def has_pseudo() -> bool:
    """Whether the family of silver's frozen-d pseudopotential is there."""
    from aiida import orm

    return bool(orm.QueryBuilder().append(orm.Group, filters={"label": PSEUDO_FAMILY}).count())


def load_pseudo(code: orm.InstalledCode) -> Any:
    """Return silver's frozen-d pseudopotential from its family; ld1.x makes it first where there is none.

    Raises
    ------
    DemoFailure
        If ld1.x does not make it.
    """
    from aiida.common.exceptions import NotExistent
    from aiida.plugins import GroupFactory

    family_class = GroupFactory("pseudo.family")
    try:
        return family_class.collection.get(label=PSEUDO_FAMILY).get_pseudo("Ag")
    except (NotExistent, ValueError):
        pass
    pseudo = make_pseudo(code, "Ag.frozen-d.in")
    family, _ = family_class.collection.get_or_create(label=PSEUDO_FAMILY)
    family.clear()
    family.add_nodes([pseudo])
    return pseudo


def make_pseudo(code: orm.InstalledCode, generation: str) -> Any:
    """Return the pseudopotential that ld1.x makes from one of the project's inputs, in this process.

    Raises
    ------
    DemoFailure
        If ld1.x does not make it.
    """
    from aiida import orm
    from aiida.plugins import CalculationFactory

    builder = CalculationFactory("rewire.ld1").get_builder()
    builder.code = code
    builder.generation = orm.SinglefileData(fixture_path("ld1", generation))
    builder.metadata.label = generation
    node = CalculationFactory("rewire.ld1").run_calculation(builder)
    if not node.is_finished_ok:
        raise DemoFailure(f"ld1.x made no pseudopotential: [{node.exit_status}] {node.exit_message}")
    return node.outputs.pseudo
