"""`aiida-rewire iv`: currents that are known beforehand, what is drawn, what is refused."""

from __future__ import annotations

import csv
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from numpy.typing import ArrayLike
from tests.cli.invoking import invoke

from aiida_rewire.cli.results.current_voltage import iv_command
from aiida_rewire.data.conductance import ConductanceData
from aiida_rewire.report.current_voltage import Curve, draw_current_voltage
from aiida_rewire.trace.landauer import current_voltage
from aiida_rewire.transport.landauer import BOLTZMANN_CONSTANT, CONDUCTANCE_QUANTUM, ELEMENTARY_CHARGE

ENERGIES = np.linspace(1.0, -1.0, 41)


def spectrum(label: str, chain: str, transmission: ArrayLike, energies: Any = ENERGIES, **labels: Any) -> Any:
    """A stored conductance of one k-point."""
    t = np.asarray(transmission, dtype=float)[:, None]
    node = ConductanceData.from_transmission(
        energies=energies,
        transmission=t,
        kpoints=np.zeros((1, 2)),
        weights=np.ones(1),
        channels=np.full(t.shape, 7),
        unitarity=np.zeros(t.shape),
        labels={"campaign": label, "chain": chain, "protocol": "demo", "voltage_v": 2.0, "snapshot": 0, **labels},
    )
    return node.store()


@pytest.fixture(scope="module")
def label(aiida_profile: object) -> str:
    """Campaign of a constant T, a sloping one, and one whose energies reach nowhere."""
    label = f"iv-{uuid.uuid4().hex[:8]}"
    spectrum(label, "constant", np.full(41, 1.5), time_ps=0.5)
    spectrum(label, "slope", 1.0 + 0.5 * ENERGIES, time_ps=1.5)
    spectrum(label, "short", [1.0, 1.0, 1.0], np.array([0.1, 0.0, -0.1]))
    return label


def told(*arguments: object) -> list[dict[str, Any]]:
    curves: list[dict[str, Any]] = json.loads(invoke(iv_command, *arguments, "--json").stdout)["curves"]
    return curves


@pytest.mark.parametrize("temperature", [0, 300, 800])
def test_a_constant_transmission_gives_a_straight_line(label: str, temperature: float) -> None:
    (curve,) = told("--campaign", label, "--chain", "constant", "--temperature", temperature)
    voltages, current = np.array(curve["voltages_v"]), np.array(curve["current_a"])
    assert current == pytest.approx(1.5 * CONDUCTANCE_QUANTUM * voltages, rel=1e-9, abs=1e-18)
    assert curve["zero_bias_g0"] == pytest.approx(1.5)
    # the energies have to reach 10 kT beyond the window
    reach = 1 - 10 * BOLTZMANN_CONSTANT * temperature / ELEMENTARY_CHARGE
    assert voltages[[0, -1]] == pytest.approx([-2 * reach, 2 * reach])


def test_the_slope_at_zero_is_the_conductance(label: str) -> None:
    for shift in (0.0, 0.5, 1.0):
        arguments = ("--campaign", label, "--chain", "slope", "--lead-shift", shift, "--to", 0.01)
        (curve,) = told(*arguments)
        slope = np.gradient(curve["current_a"], curve["voltages_v"])[50] / CONDUCTANCE_QUANTUM
        assert slope == pytest.approx(curve["zero_bias_g0"], rel=1e-6)
        assert curve["zero_bias_g0"] == pytest.approx(curve["conductance_fermi_g0"]) == pytest.approx(1.0)
    # one lead alone is raised: the mean of T from 0 to 0.4 eV, which is 1.1
    (curve,) = told("--campaign", label, "--chain", "slope", "--lead-shift", 1, "--to", 0.4, "--temperature", 0)
    assert curve["current_a"][-1] == pytest.approx(1.1 * 0.4 * CONDUCTANCE_QUANTUM)


def test_a_warmer_lead_drives_a_current_without_a_voltage(label: str) -> None:
    warm = ("--campaign", label, "--chain", "slope", "--temperature", 600, "--temperature", 300)
    (curve,) = told(*warm)
    # Sommerfeld: (2e/h) pi^2/6 k^2 (T1^2 - T2^2) dT/dE, exact for a straight T(E)
    thermal = (BOLTZMANN_CONSTANT / ELEMENTARY_CHARGE) ** 2 * (600**2 - 300**2)
    assert curve["current_a"][50] == pytest.approx(CONDUCTANCE_QUANTUM * np.pi**2 / 6 * thermal * 0.5, rel=1e-3)
    assert "600 K and 300 K" in invoke(iv_command, *warm).stdout


def test_table_and_csv_hold_the_same_numbers(label: str, tmp_path: Path) -> None:
    both = [one["uuid"] for one in told("--campaign", label, "--chain", "constant")]
    both += [one["uuid"] for one in told("--campaign", label, "--chain", "slope")]
    text = invoke(iv_command, *both, "--to", 0.5).stdout
    constant, slope = text.splitlines()[2:4]
    # 0.5 V x 1.5 x 77.48 µS = 58.11 µA
    for cell in ("constant", "0.50", "1.50000", "116.221", "-0.5 to 0.5", "58.11"):
        assert cell in constant.split("  ") or cell in constant.split()
    assert "1.00000" in slope.split()
    invoke(iv_command, *both, "--to", 0.5, "--csv", tmp_path / "iv.csv")
    rows = list(csv.DictReader((tmp_path / "iv.csv").read_text().splitlines()))
    assert list(rows[0]) == ["conductance_uuid", "voltage_V", "current_A", "differential_conductance_G0"]
    assert [row["conductance_uuid"] for row in rows] == [one for one in both for _ in range(101)]
    assert float(rows[100]["current_A"]) == pytest.approx(0.75 * CONDUCTANCE_QUANTUM)


def test_energies_that_do_not_reach_far_enough_are_refused(label: str) -> None:
    said = invoke(iv_command, "--campaign", label, "--chain", "short", status=1).stderr
    assert "must be more than 0.259 eV below and above E_F at 300 K; compute T(E) in a wider range" in said
    assert said.count("\n") == 1
    # without a temperature they do, up to the window
    (curve,) = told("--campaign", label, "--chain", "short", "--temperature", 0)
    assert curve["voltages_v"][-1] == pytest.approx(0.2)
    far = invoke(iv_command, "--campaign", label, "--chain", "constant", "--to", 3, status=1).stderr
    assert "must be" in far
    assert far.count("\n") == 1


def test_what_is_no_conductance_or_too_much_is_refused(label: str) -> None:
    other = orm.Int(1).store()
    (one,) = told("--campaign", label, "--chain", "constant")
    crowd = f"crowd-{uuid.uuid4().hex[:8]}"
    for number in range(8):
        spectrum(crowd, f"c{number}", np.ones(41))
    for arguments, message in (
        ((other.uuid,), "of type Int: must be that of a conductance"),
        (("nothing",), "'nothing': must be that of a conductance"),
        ((10**30,), "must be that of a conductance"),
        ((one["uuid"], "--campaign", label), "leave out the options that select"),
        (("--campaign", crowd), "conductances = 8: must be at most 7 at once"),
        (("--campaign", f"{label}x"), f"there is {label}"),
        ((one["uuid"], "--temperature", -1), "0 K or above"),
        ((one["uuid"], "--to", 0), "to = 0.0 V: must be positive"),
    ):
        said = invoke(iv_command, *arguments, status=1).stderr
        assert message in said
        assert said.count("\n") == 1
    three = ("--temperature", 1) * 3
    assert "once for each of the two leads" in invoke(iv_command, one["uuid"], *three, status=2).stderr


def test_the_figure_shows_transmission_current_and_slope() -> None:
    curves = [
        Curve("[a]$b", ENERGIES, t, current_voltage(ENERGIES, t, temperature_k=0.0))
        for t in (np.full(41, 1.5), 1.0 + 0.5 * ENERGIES)
    ]
    figure = draw_current_voltage(curves)
    upper, lower = figure.axes
    for line, curve in zip(upper.lines, curves, strict=False):
        assert np.array_equal(line.get_xydata(), np.stack([ENERGIES, curve.transmission], axis=1))
    solid = [line for line in lower.lines if line.get_linewidth() > 0.8]
    for line, curve in zip(solid, curves, strict=True):
        assert line.get_xdata() == pytest.approx(curve.current.voltages_v)
        # in µA
        assert line.get_ydata() == pytest.approx(1e6 * curve.current.current_a)
    assert lower.get_ylabel() == "current (µA)"
    dotted = [line for line in lower.lines if line.get_linestyle() == ":"]
    assert dotted[1].get_ydata()[-1] == pytest.approx(2.0 * CONDUCTANCE_QUANTUM * 1e6)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["[a]$b"] * 2


def test_figure_and_caption_are_written(label: str, tmp_path: Path) -> None:
    (one,) = told("--campaign", label, "--chain", "slope")
    invoke(iv_command, one["uuid"], "--temperature", 100, "-o", tmp_path / "iv.svg")
    assert "current (µA)" in (tmp_path / "iv.svg").read_text()
    caption = (tmp_path / "iv.caption.md").read_text()
    for text in (one["uuid"], "Leads at 100 K", "41 energies from -1 to 1 eV", "slope, 1.5 ps", "aiida-rewire iv"):
        assert text in caption
