"""How the transmission of a silver dimer converges, with an ultrasoft and with a frozen-d pseudopotential.

``python benchmarks/ultrasoft_convergence.py --out FOLDER`` runs, one after another, what is missing of the study
and writes ``FOLDER/runs.csv``; ``--only NAME`` runs what has NAME in its own. It needs ld1.x, pw.x, pp.x and
pwcond.x on PATH, and uses one core. The system is a dimer (2.85 Å) between 2 x 2 Ag(111), a = 4.16 Å.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.grids import fft_dimensions
from aiida_rewire.transport.pwcond_input import pwcond_input
from aiida_rewire.transport.pwcond_output import read_pwcond
from aiida_rewire.transport.readback import (
    RYDBERG_EV,
    density_on_grid,
    layer_potential,
    potential_mismatch,
    read_charge_density,
    read_pp_grid,
    readback_difference,
)

LATTICE_CONSTANT, DIMER_LENGTH, WIDENED = 4.16, 2.85, 1.5
"""Å. In 1 x 1 cells one spacing between two layers, widened by the last, stands for the contact."""

VALENCE = {"ultrasoft": 11, "frozen-d": 1}
SILVER_MASS = 107.8682
SPARE_BANDS = 8
HARTREE_EV = 2 * RYDBERG_EV
SMOOTH_NR3 = re.compile(r'(<fft_smooth nr1="\d+" nr2="\d+" nr3=")\d+(")')
FERMI_ELEMENT = re.compile(r"(<fermi_energy>)([^<]*)(</fermi_energy>)")

Mesh = tuple[int, int, int]


@dataclass(frozen=True)
class Scf:
    """A run of pw.x; ``layers`` below and above the gap, or none for the lead. Cutoffs and degauss in Ry.

    ``bands_factor`` times half the electrons is the number of bands, as the work chain for pw.x takes it. ``periods``
    of the lead stand one above the other. ``start`` is the run of the same cell whose density it begins with.
    """

    pseudo: str
    cutoffs: tuple[int, int]
    mesh: Mesh
    layers: tuple[int, int] | None = None
    degauss: float = 0.02
    conv_thr: float = 1e-8
    bands_factor: float = 1.5
    supercell: int = 2
    smearing: str = "mv"
    periods: int = 1
    start: Scf | None = None

    @property
    def lattice(self) -> Fcc111:
        """Of the lead."""
        return Fcc111(LATTICE_CONSTANT, self.supercell)

    @property
    def label(self) -> str:
        """Name of its folder."""
        region = "lead" if self.layers is None else "junction-{}-{}".format(*self.layers)
        region += "" if self.periods == 1 else f"-{self.periods}-periods"
        changed = "".join(
            f"-{name}-{getattr(self, name):g}"
            for name, usual in (("degauss", 0.02), ("conv_thr", 1e-8), ("bands_factor", 1.5), ("supercell", 2))
            if getattr(self, name) != usual
        )
        return (
            f"{region}-{self.pseudo}-{self.cutoffs[0]}-{self.cutoffs[1]}-{'x'.join(map(str, self.mesh))}{changed}"
            + ("" if self.smearing == "mv" else f"-{self.smearing}")
        )

    def region(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cell (3, 3) and positions (n, 3), Å."""
        if self.layers is None:
            cell, positions = self.lattice.lead()
            stacked = np.concatenate([positions + n * cell[2] for n in range(self.periods)])
            return cell * np.array([[1], [1], [self.periods]]), stacked
        h = self.lattice.layer_spacing
        snapshot = np.array([[0.0, 0.0, h], [0.0, 0.0, h + DIMER_LENGTH]])
        gap = FlatGap(0.0, 2 * h + DIMER_LENGTH)
        if self.supercell == 1:
            snapshot, gap = np.empty((0, 3)), FlatGap(0.0, h + WIDENED)
        lower, upper = self.layers
        region = assemble_scattering_region(snapshot, gap, self.lattice, lower_layers=lower, upper_layers=upper)
        return region.cell, region.positions


@dataclass(frozen=True)
class Run:
    """A run of pwcond.x; ``lateral`` is an N x N Monkhorst-Pack mesh, or 0 for the point (0.1, 0.2).

    ``aligned`` moves the junction's Fermi energy by what makes its end layers meet the lead's potential, ``moved``
    (eV) by as much more; ``slabs`` gives pwcond.x other numbers of slabs along z, in lead and junction, than the
    smooth grids of the SCF.
    """

    name: str
    lead: Scf
    junction: Scf
    ewind: float = 2.0
    epsproj: float = 1e-5
    nz1: int = 3
    lateral: int = 0
    aligned: bool = False
    moved: float = 0.0
    slabs: tuple[int, int] | None = None


def lateral_kpoints(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Monkhorst-Pack mesh in crystal coordinates, shape (n_k, 2), and its weights; k stands for -k as well."""
    if n == 0:
        return np.array([[0.1, 0.2]]), np.ones(1)
    axis = (2 * np.arange(1, n + 1) - n - 1) / (2 * n)
    points = np.array([(a, b) for a in axis for b in axis])
    index = np.rint(points * 2 * n).astype(int)
    keep = [(i, j) >= (-i, -j) for i, j in index.tolist()]
    weights = np.where((index == 0).all(axis=1), 1.0, 2.0)
    return points[keep], weights[keep] / n**2


def timed(command: list[str], folder: Path, stdin: str, stdout: str) -> dict[str, float]:
    """Run a program on one core; return its wall and processor time (s)."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with (folder / stdin).open() as source, (folder / stdout).open("w") as sink:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=folder, stdin=source, stdout=sink, env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": time.monotonic() - start, "cpu_s": cpu}


def pseudopotential(name: str, out: Path) -> Path:
    """Generate the pseudopotential once."""
    folder = out / "pseudo"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / f"Ag.{name}.UPF").exists():
        (folder / "ld1.in").write_text(fixture_path("ld1", f"Ag.{name}.in").read_text())
        timed(["ld1.x"], folder, "ld1.in", f"{name}.out")
    return folder


def pw_input(scf: Scf, pseudo_dir: Path) -> str:
    """Input of pw.x with explicit FFT grids and fifteen decimals."""
    cell, positions = scf.region()
    ecutwfc, ecutrho = scf.cutoffs
    dense, smooth = fft_dimensions(cell, ecutrho), fft_dimensions(cell, 4 * ecutwfc)
    electrons = len(positions) * VALENCE[scf.pseudo]
    bands = max(math.ceil(electrons / 2 * scf.bands_factor), math.ceil(electrons / 2) + SPARE_BANDS)
    grids = [f"nr{i} = {n}" for i, n in enumerate(dense, 1)] + [f"nr{i}s = {n}" for i, n in enumerate(smooth, 1)]
    mixing = "plain" if scf.layers is None and scf.periods == 1 else "local-TF"
    start = "" if scf.start is None else "startingpot = 'file', "
    lines = [
        "&control",
        f"calculation = 'scf', prefix = 'aiida', outdir = './out', pseudo_dir = '{pseudo_dir}'",
        "/",
        "&system",
        f"ibrav = 0, nat = {len(positions)}, ntyp = 1, nbnd = {bands}",
        f"ecutwfc = {ecutwfc}, ecutrho = {ecutrho}, {', '.join(grids)}",
        f"occupations = 'smearing', smearing = '{scf.smearing}', degauss = {scf.degauss}",
        "/",
        "&electrons",
        f"{start}conv_thr = {scf.conv_thr:e}, mixing_mode = '{mixing}', mixing_beta = 0.4",
        "/",
        "ATOMIC_SPECIES",
        f"Ag {SILVER_MASS} Ag.{scf.pseudo}.UPF",
        "CELL_PARAMETERS angstrom",
        *(" ".join(f"{x:.15f}" for x in row) for row in cell.tolist()),
        "ATOMIC_POSITIONS angstrom",
        *("Ag " + " ".join(f"{x:.15f}" for x in row) for row in positions.tolist()),
        "K_POINTS automatic",
        " ".join(map(str, scf.mesh)) + " 0 0 0",
    ]
    return "\n".join(lines) + "\n"


def converge(scf: Scf, out: Path) -> Path:
    """Run pw.x and, on its density and its potential, pp.x, unless done; return the folder."""
    folder = out / "scf" / scf.label
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "pw.json"
    if not done.exists():
        (folder / "pw.in").write_text(pw_input(scf, pseudopotential(scf.pseudo, out).resolve()))
        if scf.start is not None:
            save = folder / "out/aiida.save"
            save.mkdir(parents=True, exist_ok=True)
            shutil.copy(converge(scf.start, out) / "out/aiida.save/charge-density.dat", save)
        times = timed(["pw.x"], folder, "pw.in", "pw.out")
        text = (folder / "pw.out").read_text()
        if "convergence has been achieved" not in text:
            raise RuntimeError(f"{folder}: pw.x did not converge")
        fermi = float(text.split("the Fermi energy is")[-1].split()[0])
        done.write_text(json.dumps({"fermi_energy_ev": fermi, "iterations": text.count("iteration #"), **times}))
    for plot, name in ((0, "density"), (1, "potential")):
        if not (folder / f"{name}.pp").exists():
            (folder / "pp.in").write_text(
                f"&inputpp\nprefix = 'aiida', outdir = './out', filplot = '{name}.part', plot_num = {plot}\n/\n"
            )
            timed(["pp.x"], folder, "pp.in", f"{name}.out")
            (folder / f"{name}.part").rename(folder / f"{name}.pp")
    return folder


def read_back(scf: Scf, folder: Path) -> dict[str, float]:
    """Read-back difference and V - E_F (eV) of the layer at either end."""
    fermi = json.loads((folder / "pw.json").read_text())["fermi_energy_ev"]
    density = read_charge_density(folder / "out/aiida.save/charge-density.dat")
    as_read = read_pp_grid(folder / "density.pp")
    nr1, nr2, nr3 = as_read.shape
    difference = readback_difference(as_read, density_on_grid(density, (nr1, nr2, nr3)))
    cell, _ = scf.region()
    left, right = layer_potential(read_pp_grid(folder / "potential.pp"), cell, fermi, scf.lattice.layer_spacing)
    return {"difference": difference, "left": left, "right": right, "fermi_energy_ev": fermi}


def fermi_shift(run: Run, lead: Path, junction: Path) -> float:
    """By how much the junction's Fermi energy is moved (eV); aligned: V - E_F above the lead's, mean of both ends."""
    if not run.aligned:
        return run.moved
    ours, theirs = read_back(run.junction, junction), read_back(run.lead, lead)
    return (ours["left"] + ours["right"] - theirs["left"] - theirs["right"]) / 2 + run.moved


def stage(parent: Path, save: Path, shift: float, slabs: int) -> None:
    """Link what an SCF left into the folder of pwcond.x, with its Fermi energy moved by ``shift`` (eV).

    ``slabs``, unless 0, replaces nr3s.
    """
    save.mkdir(exist_ok=True)
    for path in (parent / "out/aiida.save").resolve().iterdir():
        if path.suffix == ".xml":
            moved = FERMI_ELEMENT.sub(
                lambda found: f"{found[1]}{float(found[2]) + shift / HARTREE_EV:.16e}{found[3]}", path.read_text()
            )
            if slabs:
                moved = SMOOTH_NR3.sub(rf"\g<1>{slabs}\g<2>", moved)
            (save / path.name).write_text(moved)
        elif not (save / path.name).is_symlink():
            (save / path.name).symlink_to(path)


def transmit(run: Run, out: Path) -> None:
    """Run what is missing of one row of the study."""
    lead, junction = converge(run.lead, out), converge(run.junction, out)
    folder = out / "pwcond" / run.name
    (folder / "out").mkdir(parents=True, exist_ok=True)
    kpoints, weights = lateral_kpoints(run.lateral)
    done = folder / "pwcond.json"
    if not done.exists():
        shift = fermi_shift(run, lead, junction)
        slabs = run.slabs or (0, 0)
        stage(lead, folder / "out/lead.save", 0.0, slabs[0])
        stage(junction, folder / "out/junction.save", shift, slabs[1])
        namelist = {
            "outdir": "./out",
            "prefixl": "lead",
            "prefixs": "junction",
            "ikind": 1,
            "bdl": float(run.lead.region()[0][2, 2] / run.lead.lattice.alat),
            "bds": float(run.junction.region()[0][2, 2] / run.lead.lattice.alat),
            "energy0": 0.0,
            "denergy": 0.0,
            "ewind": run.ewind,
            "epsproj": run.epsproj,
            "nz1": run.nz1,
        }
        (folder / "pwcond.in").write_text(pwcond_input(namelist, kpoints, weights, [0.0]))
        times = timed(["pwcond.x"], folder, "pwcond.in", "pwcond.out")
        done.write_text(json.dumps(times))


def measured(run: Run, out: Path) -> dict[str, object]:
    """Read one row of the study."""
    lead, junction = (out / "scf" / scf.label for scf in (run.lead, run.junction))
    folder = out / "pwcond" / run.name
    kpoints, weights = lateral_kpoints(run.lateral)
    output = read_pwcond((folder / "pwcond.out").read_text())
    if len(output.states) != len(kpoints):
        raise RuntimeError(f"{folder}: {output.error or 'a k-point is missing'}")
    times = json.loads((folder / "pwcond.json").read_text())
    ours, theirs = read_back(run.junction, junction), read_back(run.lead, lead)
    mismatch = potential_mismatch((theirs["left"], theirs["right"]), (ours["left"], ours["right"]))
    shift = fermi_shift(run, lead, junction)
    scf_times = [json.loads((parent / "pw.json").read_text()) for parent in (lead, junction)]
    return {
        "name": run.name,
        "pseudo": run.lead.pseudo,
        "cutoffs_ry": "/".join(map(str, run.lead.cutoffs)),
        "lead_k": "x".join(map(str, run.lead.mesh)),
        "junction_k": "x".join(map(str, run.junction.mesh)),
        "supercell": run.lead.supercell,
        "layers": "/".join(map(str, run.junction.layers or ())),
        "periods": run.junction.periods,
        "degauss_ry": run.junction.degauss,
        "smearing": run.junction.smearing,
        "conv_thr_ry": run.junction.conv_thr,
        "ewind_ry": run.ewind,
        "epsproj": run.epsproj,
        "nz1": run.nz1,
        "slabs": "/".join(map(str, run.slabs)) if run.slabs else "nr3s",
        "lateral": run.lateral or "(0.1,0.2)",
        "kpoints": len(kpoints),
        "transmission": float(sum(w * s.transmission for w, s in zip(weights, output.states, strict=True))),
        "unitarity": max(s.unitarity for s in output.states),
        "channels": "-".join(str(f(s.channels for s in output.states)) for f in (min, max)),
        "lead_fermi_ev": theirs["fermi_energy_ev"],
        "junction_fermi_ev": ours["fermi_energy_ev"],
        "readback_lead": theirs["difference"],
        "readback_junction": ours["difference"],
        "mismatch_ev": mismatch,
        "fermi_moved_ev": shift,
        "lead_cpu_s": scf_times[0]["cpu_s"],
        "junction_cpu_s": scf_times[1]["cpu_s"],
        "pwcond_cpu_s": times["cpu_s"],
        "pwcond_wall_s": times["wall_s"],
    }


def study() -> list[Run]:
    """All runs, the most decisive first."""
    lead = Scf("ultrasoft", (28, 280), (2, 2, 4))
    junction = Scf("ultrasoft", (28, 280), (2, 2, 1), (3, 2))
    base = Run("us-base", lead, junction)
    runs = [
        base,
        replace(base, name="us-ewind-3", ewind=3.0),
        replace(base, name="us-epsproj-1e-6", epsproj=1e-6),
        replace(base, name="us-nz1-7", nz1=7),
    ]
    fd_lead = Scf("frozen-d", (15, 60), (4, 4, 4))
    fd_junction = Scf("frozen-d", (15, 60), (2, 2, 1), (3, 2))
    fd = Run("fd-base", fd_lead, fd_junction)
    runs += [fd]
    runs += [replace(fd, name=f"fd-ewind-{x:g}", ewind=x) for x in (0.5, 1.0, 3.0, 4.0)]
    runs += [replace(fd, name=f"fd-epsproj-{x:.0e}", epsproj=x) for x in (1e-2, 1e-3, 1e-4, 1e-6)]
    runs += [replace(fd, name=f"fd-nz1-{n}", nz1=n) for n in (5, 7, 11)]
    runs += [
        replace(fd, name="fd-lead-{}{}{}".format(*m), lead=replace(fd_lead, mesh=m))
        for m in ((2, 2, 4), (3, 3, 4), (4, 4, 6), (6, 6, 6), (8, 8, 8))
    ]
    runs += [
        replace(fd, name=f"fd-junction-{n}{n}1", junction=replace(fd_junction, mesh=(n, n, 1))) for n in (1, 3, 4, 6)
    ]
    runs += [
        replace(fd, name="fd-layers-{}-{}".format(*x), junction=replace(fd_junction, layers=x))
        for x in ((4, 3), (5, 4), (6, 5), (7, 6))
    ]
    fine_lead, fine_junction = replace(fd_lead, mesh=(6, 6, 6)), replace(fd_junction, mesh=(4, 4, 1))
    runs += [
        Run("fd-fine-{}-{}".format(*x), fine_lead, replace(fine_junction, layers=x))
        for x in ((3, 2), (4, 3), (5, 4), (6, 5), (7, 6))
    ]
    quick = replace(fd, epsproj=1e-2)
    runs += [replace(quick, name=f"fd-lateral-{n}", lateral=n) for n in (1, 2, 3, 4)]
    small_lead = Scf("ultrasoft", (28, 280), (4, 4, 4), supercell=1)
    small_junction = Scf("ultrasoft", (28, 280), (4, 4, 1), (3, 2), supercell=1)
    small = Run("small-base", small_lead, small_junction)
    runs += [
        replace(base, name="us-aligned", aligned=True),
        small,
        replace(small, name="small-aligned", aligned=True),
    ]
    runs += [
        replace(small, name="small-layers-{}-{}".format(*x), junction=replace(small_junction, layers=x))
        for x in ((4, 3), (5, 4), (6, 5))
    ]
    runs += [replace(small, name=f"small-nz1-{n}", nz1=n) for n in (7, 11)]
    for smearing, degauss in (("gauss", 0.02), ("mv", 0.04)):
        name = f"fd-{smearing}-{degauss:g}"
        other_lead, other = (replace(x, smearing=smearing, degauss=degauss) for x in (fd_lead, fd_junction))
        runs += [
            Run(f"{name}-444", other_lead, other),
            Run(f"{name}-666", replace(other_lead, mesh=(6, 6, 6)), replace(other, mesh=(4, 4, 1))),
        ]
    wide = replace(junction, layers=(4, 3), bands_factor=1.2, conv_thr=1e-7)
    runs += [
        Run("us-layers-4-3", lead, wide),
        Run("us-layers-4-3-aligned", lead, wide, aligned=True),
        replace(base, name="us-slabs-75-180", slabs=(75, 180)),
    ]
    runs += [
        replace(run, name=f"{run.name}-aligned", aligned=True)
        for run in runs
        if run.name.startswith(("small-layers", "fd-layers", "fd-base"))
    ]
    dense_lead, dense_junction = replace(small_lead, mesh=(6, 6, 6)), replace(small_junction, mesh=(6, 6, 1))
    cheaper, dearer = (
        replace(
            small,
            name="small-{}-{}".format(*cutoffs),
            lead=replace(small_lead, cutoffs=cutoffs),
            junction=replace(small_junction, cutoffs=cutoffs),
        )
        for cutoffs in ((25, 200), (35, 350))
    )
    sparser_lead, sparser_junction = (
        replace(x, cutoffs=(28, 200), bands_factor=1.2, conv_thr=1e-7) for x in (lead, junction)
    )
    denser = replace(junction, mesh=(3, 3, 1), bands_factor=1.2, conv_thr=1e-7)
    runs += [
        replace(base, name="us-loose", ewind=1.0, epsproj=1e-3),
        Run("us-junction-331", lead, denser),
        Run("us-junction-331-aligned", lead, denser, aligned=True),
        replace(small, name="small-lead-666", lead=dense_lead),
        cheaper,
        *(replace(quick, name=f"fd-lateral-{n}", lateral=n) for n in (5, 6)),
        Run("small-fine-3-2", dense_lead, dense_junction),
        Run("small-fine-3-2-aligned", dense_lead, dense_junction, aligned=True),
        Run("small-fine-4-3", dense_lead, replace(dense_junction, layers=(4, 3))),
        Run("small-fine-4-3-aligned", dense_lead, replace(dense_junction, layers=(4, 3)), aligned=True),
        dearer,
        replace(small, name="small-junction-442", junction=replace(small_junction, mesh=(4, 4, 2))),
        replace(quick, name="fd-lateral-8", lateral=8),
        replace(base, name="us-nz1-11", nz1=11),
        Run("us-28-200", sparser_lead, sparser_junction),
    ]
    better = replace(lead, mesh=(4, 4, 4), bands_factor=1.2, start=lead)
    best = replace(wide, mesh=(3, 3, 1), conv_thr=1e-8, start=wide)
    longer = replace(wide, layers=(5, 4))
    pair = replace(lead, mesh=(2, 2, 2), bands_factor=1.2, periods=2)
    runs += [
        Run("us-lead-444", better, junction, nz1=7),
        Run("us-lead-444-junction-331", better, denser, nz1=7),
        Run("us-lead-444-layers-4-3", better, wide, nz1=7),
        Run("us-fine-4-3", better, best, nz1=7),
        Run("us-doubled", lead, pair, nz1=7),
        *(
            replace(
                small,
                name="small-lead-{}-{}-{}".format(*m),
                lead=replace(small_lead, mesh=m, bands_factor=1.2, start=small_lead),
            )
            for m in ((8, 8, 3), (12, 12, 5), (12, 12, 6), (16, 16, 8))
        ),
        *(Run(f"us-pristine-moved-{1000 * x:g}", lead, lead, nz1=7, moved=x) for x in (0.03, 0.1)),
        Run("us-fine-5-4", better, longer, nz1=7),
        Run("us-fine-4-3-aligned", better, best, nz1=7, aligned=True),
        Run("us-lead-444-layers-4-3-aligned", better, wide, nz1=7, aligned=True),
        Run("us-fine-5-4-aligned", better, longer, nz1=7, aligned=True),
        Run("us-lead-444-aligned", better, junction, nz1=7, aligned=True),
        Run("us-lead-444-junction-331-aligned", better, denser, nz1=7, aligned=True),
    ]
    return runs


def write_table(rows: list[dict[str, object]], path: Path) -> None:
    """Write rows as CSV. What a row lacks, since it was written before that was recorded, stays empty."""
    columns = dict.fromkeys(column for row in rows for column in row)
    with path.open("w", newline="") as table:
        writer = csv.DictWriter(table, fieldnames=list(columns), restval="")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results; what is there is kept")
    parser.add_argument("--only", default="", help="run only what has this in its name")
    arguments = parser.parse_args()
    rows: Path = arguments.out / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    for run in study():
        row = rows / f"{run.name}.json"
        if arguments.only in run.name and not row.exists():
            transmit(run, arguments.out)
            row.write_text(json.dumps(measured(run, arguments.out), indent=1))
    found = [json.loads(path.read_text()) for run in study() if (path := rows / f"{run.name}.json").exists()]
    write_table(found, arguments.out / "runs.csv")


if __name__ == "__main__":
    main()
