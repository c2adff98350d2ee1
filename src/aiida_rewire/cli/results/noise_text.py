"""The noise of plateaus in words, for programs and as rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from aiida_rewire.cli.campaign.showing import Sheet
from aiida_rewire.cli.results.wording import counted, printable

if TYPE_CHECKING:
    from aiida_rewire.report.noise import NoisyTrace
    from aiida_rewire.trace.fluctuations import Comparison
    from aiida_rewire.trace.plateau_noise import PlateauNoise

TABLES = ("plateaus", "spectra", "correlations")

CSV_COLUMNS = {
    "plateaus": (
        *("trace", "plateau", "stage", "from_s", "to_s", "points", "missing", "independent_points"),
        *("mean_G0", "mean_error_G0", "deviation_G0", "deviation_error_G0", "relative", "relative_error"),
        *("correlation_time_s", "lowest_Hz", "highest_Hz", "resolution_Hz", "exponent", "exponent_error", "why_not"),
    ),
    "spectra": ("trace", "plateau", "frequency_Hz", "density_G0^2_per_Hz", "error_G0^2_per_Hz", "within_band"),
    "correlations": ("trace", "plateau", "lag_s", "correlation"),
}
"""Of each table."""


def csv_rows(traces: Sequence[NoisyTrace], table: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table, one of `TABLES`."""
    cells = {"plateaus": _plateau_cells, "spectra": _spectrum_cells, "correlations": _correlation_cells}[table]
    for trace in traces:
        for number, one in enumerate(trace.plateaus, 1):
            for row in cells(one):
                yield trace.name, number, *row


def values_of(traces: Sequence[NoisyTrace]) -> dict[str, Any]:
    """Return all that was found, for programs."""
    return {
        "traces": [
            {
                "trace": trace.name,
                "plateaus": [_plateau_values(one) for one in trace.plateaus],
                "comparisons": [
                    {"first": i + 1, "second": j + 1, **asdict(one)} for i, j, one in _comparisons(trace.plateaus)
                ],
            }
            for trace in traces
        ]
    }


def sheets_of(traces: Sequence[NoisyTrace], left_out: int) -> list[Sheet]:
    """Return the tables for people: plateaus, and how those of a trace compare."""
    from aiida_rewire.report.noise import unit_of_time

    longest = max((one.plateau.end_s - one.plateau.start_s for t in traces for one in t.plateaus), default=0.0)
    size, unit = unit_of_time(longest)
    rows = [
        (printable(trace.name), str(number), *_plateau_texts(one, size))
        for trace in traces
        for number, one in enumerate(trace.plateaus, 1)
    ]
    columns = (
        *("trace", ">plateau", "stage", f">from ({unit})", f">to ({unit})", ">points", ">mean G (G0)"),
        *(">delta G/G (%)", ">independent", f">lag ({unit})", ">exponent", "band"),
    )
    after = ["lag: integral of the autocorrelation; exponent: gamma of S ~ 1/f^gamma in the band"]
    if left_out:
        after.append(f"{counted(left_out, 'cycle')} of fewer than 8 points left out")
    sheets = [Sheet(columns, rows, after=after if rows else ["no point has a conductance"])]
    compared = [
        (
            printable(trace.name),
            f"{i + 1} and {j + 1}",
            f"{one.ratio:.2f} ± {one.ratio_error:.2f}",
            f"{100 * one.difference:+.2f} ± {100 * one.difference_error:.2f}",
            f"{one.significance:+.1f}",
        )
        for trace in traces
        for i, j, one in _comparisons(trace.plateaus)
    ]
    if compared:
        titles = ("trace", "plateaus", ">ratio of delta G/G", ">difference (%)", ">in standard errors")
        sheets.append(Sheet(titles, compared))
    return sheets


def paragraphs(traces: Sequence[NoisyTrace]) -> tuple[list[str], list[str]]:
    """Return what the caption of a figure tells of marks and parameters, and of the data."""
    from aiida_rewire.report.caption import plain
    from aiida_rewire.report.noise import LEAST_G0, drawn_plateaus

    drawn = drawn_plateaus(traces)
    shown = {id(one.noise) for one in drawn}
    about = [
        "Coloured: plateaus, with their means; grey: what belongs to none that is shown. Plateaus end where the mean "
        "jumps (PELT).",
        f"Distributions: G less its mean, over the mean; plateaus below {LEAST_G0:g} G0 are left out beside others.",
        "Spectra: one-sided, Welch's method with Hann windows that overlap by half, from four bins above zero to "
        "half the sampling frequency; bands are one standard error, and many frequencies are averaged over a "
        "twentieth of a decade. Dashed: power laws, in the band of the fit.",
    ]
    data = []
    for trace in traces:
        there = sum(one.plateau.points for one in trace.plateaus)
        data.append(f"{plain(trace.name)}: {len(trace.times_s)} points, {len(trace.times_s) - there} without G")
        for number, one in enumerate(trace.plateaus, 1):
            if id(one) in shown:
                texts = [f"plateau {number}: G = {one.plateau.mean_g0:.4f} G0"]
                if one.fluctuation is not None:
                    said = f"({100 * one.fluctuation.relative:.2f} ± {100 * one.fluctuation.relative_error:.2f}) %"
                    texts.append(f"delta G/G = {said}")
                if one.spectrum is not None:
                    band = f"{one.spectrum.lowest_hz:.3g} to {one.spectrum.highest_hz:.3g} Hz"
                    texts.append(
                        f"spectrum from {band}, {one.spectrum.segments} segments, resolution "
                        f"{one.spectrum.resolution_hz:.3g} Hz"
                    )
                if one.exponent is not None:
                    texts.append(
                        f"exponent {one.exponent.gamma:.2f} ± {one.exponent.gamma_error:.2f} from "
                        f"{one.exponent.lowest_hz:.3g} to {one.exponent.highest_hz:.3g} Hz"
                    )
                data.append(", ".join(texts))
    return about, data


def _comparisons(plateaus: Sequence[PlateauNoise]) -> list[tuple[int, int, Comparison]]:
    from aiida_rewire.trace.plateau_noise import comparisons

    return comparisons(plateaus)


def _plateau_values(one: PlateauNoise) -> dict[str, Any]:
    spectrum = None if one.spectrum is None else asdict(one.spectrum)
    return {
        **asdict(one.plateau),
        "fluctuation": None if one.fluctuation is None else asdict(one.fluctuation),
        "interval_s": one.interval_s,
        "correlation_time_s": one.correlation_s,
        "correlation": one.correlation,
        "spectrum": spectrum,
        "exponent": None if one.exponent is None else asdict(one.exponent),
        "why_not": one.why_not,
    }


def _plateau_cells(one: PlateauNoise) -> list[tuple[Any, ...]]:
    told, spectrum, fit = one.fluctuation, one.spectrum, one.exponent
    fluctuation: tuple[Any, ...] = (one.plateau.points, None, None, one.plateau.mean_g0, *(None,) * 5)
    if told is not None:
        fluctuation = (told.points, told.missing, told.independent, told.mean_g0, told.mean_error_g0)
        fluctuation += (told.deviation_g0, told.deviation_error_g0, told.relative, told.relative_error)
    band = (None,) * 3 if spectrum is None else (spectrum.lowest_hz, spectrum.highest_hz, spectrum.resolution_hz)
    exponent = (None, None) if fit is None else (fit.gamma, fit.gamma_error)
    ends = (one.plateau.stage, one.plateau.start_s, one.plateau.end_s)
    return [(*ends, *fluctuation, one.correlation_s, *band, *exponent, one.why_not)]


def _spectrum_cells(one: PlateauNoise) -> list[tuple[Any, ...]]:
    spectrum = one.spectrum
    if spectrum is None:
        return []
    return [
        (float(f), float(density), float(density) * spectrum.relative_error, f >= spectrum.lowest_hz * (1 - 1e-9))
        for f, density in zip(spectrum.frequencies_hz, spectrum.density, strict=True)
    ]


def _correlation_cells(one: PlateauNoise) -> list[tuple[Any, ...]]:
    if one.correlation is None:
        return []
    return [(lag * one.interval_s, float(value)) for lag, value in enumerate(one.correlation)]


def _plateau_texts(one: PlateauNoise, size: float) -> tuple[str, ...]:
    told, fit, spectrum = one.fluctuation, one.exponent, one.spectrum
    mean, relative, independent = f"{one.plateau.mean_g0:.4f}", "-", "-"
    if told is not None:
        mean = f"{told.mean_g0:.4f} ± {told.mean_error_g0:.4f}"
        independent = f"{told.independent:.0f}"
        if math.isfinite(told.relative):
            relative = f"{100 * told.relative:.2f} ± {100 * told.relative_error:.2f}"
    lag = f"{one.correlation_s / size:.3g}" if math.isfinite(one.correlation_s) else "-"
    exponent = "-" if fit is None else f"{fit.gamma:.2f} ± {fit.gamma_error:.2f}"
    if fit is not None:
        band = f"{fit.lowest_hz:.2g} to {fit.highest_hz:.2g} Hz"
    elif spectrum is not None:
        band = f"spectrum from {spectrum.lowest_hz:.2g} to {spectrum.highest_hz:.2g} Hz; {one.why_not}"
    else:
        band = one.why_not
    start, end = (f"{time / size:.4g}" for time in (one.plateau.start_s, one.plateau.end_s))
    return (
        *(one.plateau.stage or "-", start, end, str(one.plateau.points)),
        *(mean, relative, independent, lag, exponent, band),
    )
