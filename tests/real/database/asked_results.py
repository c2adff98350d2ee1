"""Some of all that commands show results of, made in the loaded profile, and what each command says of it."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.manage import get_manager
from aiida.plugins import DataFactory
from aiida_lammps.data.potential import LammpsPotentialData
from click.testing import CliRunner
from sqlalchemy import text as statement
from tests.campaign.made_conductances import make_conductance
from tests.cli.made_dynamics import make_run
from tests.cli.made_traces import make_trace
from tests.database.junction_provenance import in_one_job, in_separate_jobs, structure, taken_over

sys.path += [str(Path(__file__).parents[2] / "campaign"), str(Path(__file__).parents[2] / "report")]

from filmed import Filmed
from synthetic import make_campaign

from aiida_rewire.cli.main import main
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.database.marks import VOID_EXTRA
from aiida_rewire.md.reaxff import force_field_text, silver_parameters

PAGE = "synthetic"
WIRE, OTHER = "wire.csv", "other.csv"
DEVICE = 'ü "q"'
HOSTILE = ("'; DROP TABLE db_dbnode; --", "100%_\\", 'ü "q" ', "$a_{b}$\n\x1b[31m<script>")

EXACT = 0.93052514575452
"""A number whose text SQLite casts to a neighbour of it."""

Asked = tuple[object, ...]

QUICK: tuple[Asked, ...] = (
    # what was stored once is found again
    ("measured", "import", OTHER),
    ("measured", "import", OTHER),
    ("measured", "list", "--device", DEVICE),
    ("trace", "--campaign", "silver"),
    ("trace", "--voltage", 8, "--mixed"),
    ("trace", "--campaign", "sorted"),
    ("trace", "--between", EXACT, EXACT, "--voltage", 2),
    ("histogram", "--campaign", "silver", "--stage", "growth", "--bonds", 2),
    ("noise", "--campaign", "silver", "--chain", "2V-s1", "--whole"),
    ("iv", "--campaign", "spectra"),
    ("kinetics", "--campaign", "kin_etics"),
    ("structures", "list", "--campaign", "junctions"),
    # said in a line: several protocols, nothing there, names that there are not
    ("histogram",),
    ("trace", "--campaign", "silver", "--between", 50, 60),
    ("histogram", "--campaign", "slver"),
    ("noise", "--campaign", "silver", "--chain", "2V-s"),
    ("kinetics", "--campaign", "KIN_etics"),
    ("measured", "histogram", "--device", "B"),
    *(("trace", "--campaign", "hostile", "--chain", text) for text in HOSTILE),
    *(("histogram", "--campaign", text) for text in HOSTILE),
)
"""What is asked of a small database."""

THOROUGH: tuple[Asked, ...] = (
    *QUICK,
    *2 * (("measured", "import", OTHER, "--series-resistance", 100),),
    *2 * (("measured", "import", WIRE, "--device", "A", "--fit-series-resistance"),),
    ("trace", "--campaign", "silver", "--chain", "2V-s1", "--plateaus"),
    ("histogram", "--campaign", "silver"),
    ("histogram", "--campaign", "silver", "--log", "--weigh", "chain"),
    ("histogram", "--campaign", "silver", "--against", "time"),
    ("histogram", "--mixed", "--between", 0.5, 3, "--against", "voltage"),
    ("noise", "--campaign", "silver", "--chain", "long"),
    ("noise", "--measured", f"{{{OTHER}}}", "--whole"),
    ("kinetics", "--lasting", "--voltage", 2),
    ("measured", "list"),
    ("measured", "show", f"{{{WIRE}}}"),
    ("measured", "plot", f"{{{OTHER}}}"),
    ("measured", "histogram"),
    ("measured", "histogram", "--corrected", "--device", "A", "--campaign", "silver"),
    ("structures", "list", "--between", 0.9, 1.1, "--bonds", 1, "--mixed"),
    ("structures", "sheet", "--campaign", "junctions", "-o", "sheet.svg"),
    ("structures", "export", "junctions", "--campaign", "junctions"),
    ("report", PAGE),
    ("report", f"{PAGE}s"),
)
"""What is asked of a larger one."""


def ask_all(profile: str, *, thorough: bool) -> dict[str, Any]:
    """Fill the loaded profile, and return what each question is answered, without what must differ.

    Parameters
    ----------
    profile
        Its name; it must be empty.
    thorough
        Whether much is made, and all is asked.
    """
    folder = Path.cwd()
    fill(folder, thorough=thorough)
    questions = THOROUGH if thorough else QUICK
    said = answers(profile, questions)
    names = names_of_nodes()
    asked = [f"{place} {' '.join(map(str, question))}" for place, question in enumerate(questions)]
    found = [comparable(one.replace(str(folder), "."), names) for one in said]
    if thorough:
        asked.append("numbers of the page")
        found.append(comparable(numbers_of_page(folder / f"{PAGE}.html"), names))
    # in the order of their keys, which PostgreSQL does not keep
    return {key: json.loads(one) if one.startswith("{") else one for key, one in zip(asked, found, strict=True)}


def fill(folder: Path, *, thorough: bool) -> None:
    """Make it, and the files of measured points in a folder."""
    make_trace("silver", "2V-s1")
    make_trace("silver", "8V-s1", seed=3, voltage_v=8.0, ended=False)
    # counts for nothing: marked, and the second of one snapshot
    make_conductance("silver", "8V-s1", 90, 6.5).base.extras.set(VOID_EXTRA, "a test")
    make_conductance("silver", "8V-s1", 1, 6.0)
    make_conductance("paper", "8V-s1", 0, 5.0, voltage_v=8, protocol="paper")
    # languages have them in another order than code points have
    for place, chain in enumerate(("ä", "a", "B", "_")):
        make_conductance("sorted", chain, 0, 0.1 * place + 1 / 3)
    for text in HOSTILE:
        make_conductance("hostile", text, 0, 1.25)
    make_conductance("exact", "2V-s1", 0, EXACT, voltage_v=2)
    make_spectra()
    make_junctions()
    make_dynamics(thorough=thorough)
    write_measured(folder)
    if thorough:
        make_trace("silver", "long", snapshots=400, seed=2)
        make_campaign(PAGE, chains=10, snapshots=12, kind=Filmed)


def make_spectra() -> None:
    """T(E) of two junctions."""
    energies = np.linspace(1.0, -1.0, 41)
    for place, slope in enumerate((0.0, 0.5)):
        ConductanceData.from_transmission(
            energies=energies,
            transmission=(1.0 + slope * energies)[:, None],
            kpoints=np.zeros((1, 2)),
            weights=np.ones(1),
            channels=np.full((41, 1), 7),
            unitarity=np.zeros((41, 1)),
            labels={"campaign": "spectra", "chain": "2V-s1", "protocol": "demo", "snapshot": place, "time_ps": place},
        ).store()


def make_junctions() -> None:
    """Conductances whose atoms are known, by each way, and one whose are not."""
    computer = orm.Computer("junctions", "localhost", transport_type="core.local", scheduler_type="core.direct")
    computer.store()
    atoms = [structure(np.array([[0.1 * k, 0.0, 2.0 * n] for n in range(4)]), np.eye(3) * 9) for k in range(2)]
    labels = {"campaign": "junctions", "chain": "8V-s1", "voltage_v": 8.0, "protocol": "demo", "stage": "contact"}
    one = in_one_job(atoms[0], computer, 0.97, **labels, snapshot=0, time_ps=0.1, min_cut=1)
    in_separate_jobs(atoms[1], computer, 1.02, **labels, snapshot=1, time_ps=0.2, min_cut=1)
    taken_over(one, **labels, snapshot=2, time_ps=0.3, min_cut=2)
    make_conductance("junctions", "8V-s1", 3, 1.1)


def make_dynamics(*, thorough: bool) -> None:
    """Times to contact, also of campaigns whose labels are alike to a pattern, or but for capitals."""
    potential = LammpsPotentialData.get_or_create(
        source=io.BytesIO(force_field_text(silver_parameters()).encode()),
        filename="ag.txt",
        pair_style="reaxff",
        species=["Ag"],
        atom_style="charge",
        units="real",
    )
    make_run(potential, "kin_etics/2V-s1", seed=1, first=1.0)
    make_run(potential, "Kin_etics/2V-s1", seed=8, first=0.1)
    make_run(potential, "kinxetics/2V-s1", seed=9, first=0.1)
    make_run(potential, "by hand", seed=10, first=0.3, campaign="kin_etics")
    if thorough:
        for seed, first in enumerate((2.0, 3.0, None), 2):
            make_run(potential, f"kin_etics/2V-s{seed}", seed=seed, first=first, lasting=first)
        for seed, first in enumerate((0.25, 0.5, 0.75), 1):
            make_run(potential, f"kin_etics/8V-s{seed}", seed=seed, voltage_v=8.0, first=first)
        make_run(potential, "kin_etics/2V-s11", seed=11, state="waiting")


def write_measured(folder: Path) -> None:
    """A wire whose series resistance can be fitted, and another device in time."""
    rng = np.random.default_rng(0)
    lines = ["cycle,conductance_G0"]
    for cycle in range(10):
        junction = np.repeat([1.0, 2.0, 3.0] * np.exp(rng.normal(0, 0.01, 3)), 300) + rng.normal(0, 0.06, 900)
        lines += [f"{cycle},{g:.6g}" for g in (1 / (1 / junction + 300 * 7.748091729e-5)).tolist()]
    (folder / WIRE).write_text("\n".join(lines))
    current = 15.5 + rng.normal(0, 0.2, 200)
    rows = [f'{0.001 * place:.3f},0.2,{value:.6g},"ü ""q"""' for place, value in enumerate(current.tolist())]
    (folder / OTHER).write_text("\n".join(["time_s,voltage_V,current_uA,device", *rows]))


def answers(profile: str, questions: Sequence[Asked]) -> list[str]:
    """Return what each question is answered in the folder of this process: JSON, or status and line of an error.

    The name of a measured file in braces stands for its node.
    """
    said = []
    for question in questions:
        words = [node_of_file(word[1:-1]) if word.endswith(".csv}") else word for word in map(str, question)]
        done = CliRunner().invoke(main, [*words, "--json", "-p", profile])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        said.append(done.stdout if done.exit_code == 0 else f"{done.exit_code} {done.stderr}")
    return said


def node_of_file(name: str) -> str:
    """Return the UUID of the points that a file was read into."""
    query = orm.QueryBuilder()
    query.append(DataFactory("rewire.measured"), filters={"attributes.filename": name}, project="uuid")
    return str(query.one()[0])


def numbers_of_page(path: Path) -> str:
    """Return all numbers of a page that its script draws."""
    html = path.read_text(encoding="utf-8")
    parts = {}
    for name in ("data", "bulk"):
        found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', html, re.DOTALL)
        assert found is not None
        parts[name] = json.loads(found[1])
    return json.dumps(parts)


def names_of_nodes() -> dict[str, str]:
    """Return names for the UUIDs of nodes, the same in each profile that was filled in the same order."""
    session = get_manager().get_profile_storage().get_session()
    rows = session.execute(statement("SELECT id, uuid FROM db_dbnode")).all()
    plain = [(pk, str(uuid).replace("-", "")) for pk, uuid in rows]
    return {f"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}": f"node {pk}" for pk, u in plain}


def comparable(said: str, names: dict[str, str]) -> str:
    """Return what was said without UUIDs, their beginnings, and times at which nodes were made."""
    beginnings = {uuid[:8]: name for uuid, name in names.items()}
    # of what was taken over from a conductance that is not there, nobody knows more than that it is none
    said = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda found: names.get(found[0], "unknown"), said)
    said = re.sub(r"(?<![0-9a-f])[0-9a-f]{8}(?![0-9a-f])", lambda found: beginnings.get(found[0], found[0]), said)
    return re.sub(r'("created": ")[^"]*', r"\1", said)
