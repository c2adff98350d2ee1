"""`aiida-rewire noise`: noise that is known comes back, of chains and measured points; what is drawn and refused."""

from __future__ import annotations

import csv
import json
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.cli.invoking import invoke
from tests.cli.made_traces import make_trace

from aiida_rewire.cli.results.noise import noise_command
from aiida_rewire.data.measured import MeasuredTraceData
from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.noise import NoisyTrace, averaged_spectrum, draw_noise
from aiida_rewire.trace.noise_spectrum import noise_spectrum
from aiida_rewire.trace.plateau_noise import noise_of_plateaus

INTERVAL_S = 1e-3
POINTS = 2048
MEANS = (1.0, 2.5)
RELATIVE = (0.02, 0.05)
GAMMA = (0.0, 1.0)
MISSING = 700


def noise(gamma: float, points: int, seed: int) -> NDArray[np.float64]:
    """A piece of a longer record whose power falls as f^-gamma, of mean 0 and deviation 1."""
    rng = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(8 * points)
    amplitude = rng.normal(size=(2, frequencies.size))
    made = np.fft.irfft(
        (amplitude[0] + 1j * amplitude[1]) * np.append(0.0, frequencies[1:] ** (-gamma / 2)), 8 * points
    )
    piece: NDArray[np.float64] = made[:points] - made[:points].mean()
    return piece / piece.std(ddof=1)


def record(seed: int = 2) -> NDArray[np.float64]:
    """Two plateaus, the first with white noise, the second with 1/f noise; one point of the first is missing."""
    parts = [
        mean * (1 + relative * noise(gamma, POINTS, seed))
        for mean, relative, gamma in zip(MEANS, RELATIVE, GAMMA, strict=True)
    ]
    values = np.concatenate(parts)
    values[MISSING] = math.nan
    return values


def store_measured(folder: Path, *, timed: bool = True) -> MeasuredTraceData:
    """Measured points of a cycle of two plateaus and of one of three points."""
    name = "time (s)," if timed else ""
    lines = [f"{name}conductance (G0),cycle"]
    # a reader leaves out what is no number: a current over too small a voltage would be missing
    values = record()
    for cycle, points in ((1, values), (2, values[:3])):
        for place, value in enumerate(points):
            time = f"{place * INTERVAL_S:.6f}," if timed else ""
            lines.append(f"{time}{2.0 if math.isnan(value) else value:.9f},{cycle}")
    path = folder / f"{uuid.uuid4().hex}.csv"
    path.write_text("\n".join(lines) + "\n")
    node = MeasuredTraceData.from_file(path, device="wire")
    conductance = node.get_array("conductance_g0")
    conductance[MISSING] = math.nan
    node.set_array("conductance_g0", conductance)
    return node.store()


@pytest.fixture(scope="module")
def measured(aiida_profile: object, tmp_path_factory: pytest.TempPathFactory) -> MeasuredTraceData:
    """A stored measurement."""
    return store_measured(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def label(aiida_profile: object) -> str:
    """A campaign of a chain whose four plateaus have ten snapshots each."""
    label = f"noise-{uuid.uuid4().hex[:8]}"
    make_trace(label, "2V-s1")
    return label


def told(*arguments: object) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(invoke(noise_command, *arguments, "--json").stdout)
    return values


def test_known_noise_of_measured_plateaus_comes_back(measured: MeasuredTraceData) -> None:
    found = told("--measured", measured.uuid, "--smallest-step", 0.5)
    assert found["cycles_left_out"] == 1
    (trace,) = found["traces"]
    assert trace["trace"] == "wire, cycle 1"
    first, second = trace["plateaus"]
    for one, mean, relative, gamma in zip((first, second), MEANS, RELATIVE, GAMMA, strict=True):
        told_of = one["fluctuation"]
        assert told_of["mean_g0"] == pytest.approx(mean, rel=1e-3)
        # deviation of the very sample, but for the missing point
        assert told_of["relative"] == pytest.approx(relative, rel=2e-3)
        fit = one["exponent"]
        assert abs(fit["gamma"] - gamma) < 3 * fit["gamma_error"]
        assert fit["gamma_error"] < 0.15
        # the longest stretch without a gap is analysed
        spectrum = one["spectrum"]
        bins = np.array(spectrum["density"]) * spectrum["frequencies_hz"][0]
        assert bins.sum() == pytest.approx((mean * relative) ** 2, rel=0.35)
        assert spectrum["highest_hz"] == pytest.approx(0.5 / INTERVAL_S)
        assert spectrum["lowest_hz"] == pytest.approx(4 / (spectrum["segment_points"] * INTERVAL_S))
    assert (first["fluctuation"]["missing"], second["fluctuation"]["missing"]) == (1, 0)
    # white noise forgets within half an interval, 1/f noise does not
    assert first["correlation_time_s"] < 2 * INTERVAL_S < 10 * INTERVAL_S < second["correlation_time_s"]
    (compared,) = trace["comparisons"]
    assert (compared["first"], compared["second"]) == (1, 2)
    assert compared["ratio"] == pytest.approx(RELATIVE[0] / RELATIVE[1], rel=0.01)


def test_the_table_tells_band_and_comparison(measured: MeasuredTraceData) -> None:
    text = invoke(noise_command, "--measured", measured.pk, "--smallest-step", 0.5).stdout
    first, second = text.splitlines()[1:3]
    assert first.split()[:4] == ["wire,", "cycle", "1", "1"]
    assert "2.00 ± 0.0" in first
    assert "5.00 ± " in second
    assert " Hz" in first
    assert "1 cycle of fewer than 8 points left out" in text
    assert "0.40 ± " in text.splitlines()[-1]


def test_segments_and_band_are_those_that_were_asked_for(measured: MeasuredTraceData) -> None:
    (trace,) = told("--measured", measured.uuid, "--whole", "--segments", 3, "--band", 10, 100)["traces"]
    (one,) = trace["plateaus"]
    # of the stretch after the missing point
    assert one["spectrum"]["segments"] == 3
    assert one["spectrum"]["segment_points"] == (2 * POINTS - MISSING - 1) // 2 // 2 * 2
    assert 10 <= one["exponent"]["lowest_hz"] < 11
    assert 99 < one["exponent"]["highest_hz"] <= 100
    assert one["fluctuation"]["points"] == 2 * POINTS - 1


def test_chains_are_divided_into_plateaus_too_short_for_a_spectrum(label: str) -> None:
    (trace,) = told("--campaign", label)["traces"]
    assert trace["trace"] == "2V-s1"
    assert [one["stage"] for one in trace["plateaus"]] == ["gap", "islands", "contact", "growth"]
    for one, mean in zip(trace["plateaus"], (0.02, 0.3, 1.0, 2.0), strict=True):
        assert one["fluctuation"]["mean_g0"] == pytest.approx(mean, abs=0.03)
        assert one["interval_s"] == pytest.approx(1e-13)
        assert one["spectrum"] is None
    # 8 points without a gap are needed for an autocorrelation, 64 for a spectrum
    assert [one["why_not"].split()[0] for one in trace["plateaus"]] == ["5", "10", "8", "10"]
    assert trace["plateaus"][1]["why_not"] == "10 points without a gap, at least 64 needed"
    # two of its snapshots have no conductance
    assert [one["fluctuation"]["missing"] for one in trace["plateaus"]] == [1, 0, 1, 0]
    text = invoke(noise_command, "--campaign", label).stdout
    assert "10 points without a gap, at least 64 needed" in text
    assert "4 and" not in text
    assert "3 and 4" in text


def test_csv_has_plateaus_spectra_or_correlations(measured: MeasuredTraceData, label: str) -> None:
    def rows(*arguments: object) -> list[dict[str, str]]:
        text = invoke(noise_command, *arguments, "--csv", "-").stdout
        return list(csv.DictReader(text.splitlines()))

    of_chain = rows("--campaign", label)
    assert [(row["plateau"], row["points"], row["exponent"]) for row in of_chain] == [
        ("1", "9", ""),
        ("2", "10", ""),
        ("3", "9", ""),
        ("4", "10", ""),
    ]
    spectra = rows("--measured", measured.uuid, "--smallest-step", 0.5, "--table", "spectra")
    assert {row["plateau"] for row in spectra} == {"1", "2"}
    error, density = (float(spectra[9][name]) for name in ("error_G0^2_per_Hz", "density_G0^2_per_Hz"))
    # 15 segments are worth 14.2 independent ones
    assert error / density == pytest.approx(1 / math.sqrt(15 / (1 + 2 / 36 * 14 / 15)))
    assert [row["within_band"] for row in spectra[:5]] == ["False"] * 3 + ["True"] * 2
    correlations = rows("--measured", measured.uuid, "--smallest-step", 0.5, "--table", "correlations")
    assert float(correlations[0]["correlation"]) == 1.0
    assert float(correlations[3]["lag_s"]) == pytest.approx(3 * INTERVAL_S)


def test_what_cannot_be_analysed_is_told_in_a_line(measured: MeasuredTraceData, label: str, tmp_path: Path) -> None:
    untimed = store_measured(tmp_path, timed=False)
    for arguments, message in (
        (("--measured", untimed.pk), "no times: must be measured against time"),
        (("--measured", measured.uuid, "--campaign", label), "must be alone"),
        (("--measured", measured.uuid, "--cycle", 2), "with a cycle of at least 8"),
        (("--measured", measured.uuid, "--device", "other"), "0 cycles"),
        (("--measured", "nothing"), "identifier = 'nothing': must be that of"),
        (("--campaign", f"{label}x"), f"there is {label}"),
        (("--campaign", label, "--band", 5, 2), "the lower first"),
    ):
        said = invoke(noise_command, *arguments, status=1).stderr
        assert message in said
        assert said.count("\n") == 1
    for arguments in (("--cycle", 1), ("--whole", "--smallest-step", 1)):
        invoke(noise_command, *arguments, status=2)


def test_the_figure_shows_traces_deviations_and_spectra() -> None:
    times, values = np.arange(2 * POINTS) * INTERVAL_S, record()
    trace = NoisyTrace("[a]$b", times, values, noise_of_plateaus(times, values, smallest_step_g0=0.5))
    with pytest.raises(InvalidInput, match=r"from 1 to 4 for a figure; choose some: .*--cycle"):
        draw_noise([trace] * 5)
    figure = draw_noise([trace])
    deviations, spectra, panel = figure.axes
    # means, in s
    means = [line.get_xydata().tolist() for line in panel.lines if line.get_color() == "black"]
    assert [y for _, (_, y) in means] == pytest.approx(MEANS, rel=1e-3)
    assert means[0][1][0] == means[1][0][0] == pytest.approx(POINTS * INTERVAL_S)
    # each density integrates to 1, and is as wide as delta G/G says
    outlines = [patch for patch in deviations.patches if not patch.get_fill()]
    assert len(outlines) == 2
    for patch, relative in zip(outlines, RELATIVE, strict=True):
        density, edges, _ = patch.get_data()
        assert (density * np.diff(edges)).sum() == pytest.approx(1)
        middles = (edges[1:] + edges[:-1]) / 2
        width = math.sqrt((density * np.diff(edges) * middles**2).sum())
        assert width == pytest.approx(100 * relative, rel=0.15)
    curves = [line for line in spectra.lines if line.get_color() != "black"]
    for line, one in zip(curves, trace.plateaus, strict=True):
        assert one.spectrum is not None
        assert line.get_xdata()[0] == pytest.approx(one.spectrum.lowest_hz)
        assert line.get_ydata()[-1] == pytest.approx(one.spectrum.density[-1])
    # white noise lies flat at its level, that of the other falls as 1/f
    fits = [line for line in spectra.lines if line.get_color() == "black"]
    assert np.exp(np.log(fits[0].get_ydata()).mean()) == pytest.approx(2 * 0.02**2 * INTERVAL_S, rel=0.1)
    for line, one in zip(fits, trace.plateaus, strict=True):
        (x0, y0), (x1, y1) = line.get_xydata()
        assert one.exponent is not None
        assert -math.log(y1 / y0) / math.log(x1 / x0) == pytest.approx(one.exponent.gamma)
    assert len(spectra.collections) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1: 1.00 G₀", "2: 2.50 G₀"]


def test_many_frequencies_are_averaged_for_the_eye() -> None:
    values = np.random.default_rng(5).normal(2.0, 0.03, 200_000)
    found = noise_spectrum(np.arange(len(values)) * INTERVAL_S, values)
    frequencies, density, error = averaged_spectrum(found)
    # three and a half decades
    assert 50 < len(frequencies) < 75
    level = 2 * 0.03**2 * INTERVAL_S
    pulls = (density[:-1] / level - 1) / error[:-1]
    assert pulls.std() == pytest.approx(1, abs=0.4)
    assert abs(pulls).max() < 4.5
    few = noise_spectrum(np.arange(1000) * INTERVAL_S, values[:1000])
    frequencies, density, error = averaged_spectrum(few)
    assert np.array_equal(density, few.density[3:])
    assert set(error) == {few.relative_error}


def test_figure_and_caption_are_written(measured: MeasuredTraceData, label: str, tmp_path: Path) -> None:
    invoke(noise_command, "--measured", measured.uuid, "--smallest-step", 0.5, "-o", tmp_path / "n.svg")
    caption = (tmp_path / "n.caption.md").read_text()
    for text in (measured.uuid, "4096 points, 1 without G", "plateau 2: G = 2.5", "15 segments", "resolution"):
        assert text in caption
    said = invoke(noise_command, "--campaign", label, "-o", tmp_path / "c.svg", "--width", "double").stdout
    assert f"wrote {tmp_path / 'c.svg'}" in said
    assert "38 conductances of 1 chain" in (tmp_path / "c.caption.md").read_text()
