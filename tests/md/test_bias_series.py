"""Voltage and currents as the driver writes them."""

from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.md.bias_series import BrokenSeries, read_series

HEADER = "step,voltage_v,anode_flux_v_fs,cathode_flux_v_fs"
ROWS = ["0,0.0,0.0,-0.0", "10,0.5,0.125,0.0625", "20,1.0,0.25,0.1875", "30,1.5,1e-05,-2.5e-7"]


def test_columns_become_arrays() -> None:
    series = read_series([HEADER, *ROWS], 30)
    assert {name: array.tolist() for name, array in series.items()} == {
        "step": [0.0, 10.0, 20.0, 30.0],
        "voltage_v": [0.0, 0.5, 1.0, 1.5],
        "anode_flux": [0.0, 0.125, 0.25, 1e-5],
        "cathode_flux": [0.0, 0.0625, 0.1875, -2.5e-7],
    }


def test_a_recorded_series_is_that_of_its_run(fixtures: Path) -> None:
    series = read_series((fixtures / "md" / "two-blocks.csv").read_text().splitlines(), 40)
    assert series["step"].tolist() == [0, 10, 20, 30, 40]
    assert series["voltage_v"].tolist() == [8.0] * 5
    # no bond crosses the gap of 5 Å
    assert not series["anode_flux"].any()
    parts = [
        read_series((fixtures / "md" / f"{name}.csv").read_text().splitlines(), 40)["step"].tolist()
        for name in ("first-job", "second-job")
    ]
    assert parts == [[0, 10, 20], [30, 40]]


@pytest.mark.parametrize(("last_step", "expected"), [(25, [0, 10, 20]), (20, [0, 10, 20]), (19, [0, 10]), (-1, [])])
def test_rows_beyond_the_last_checkpoint_are_left_out(last_step: int, expected: list[int]) -> None:
    series = read_series([HEADER, *ROWS], last_step)
    assert series["step"].tolist() == expected
    assert {array.shape for array in series.values()} == {(len(expected),)}


def test_what_comes_after_the_last_checkpoint_may_be_damaged() -> None:
    assert read_series([HEADER, *ROWS, "40,x", "nonsense"], 20)["step"].tolist() == [0, 10, 20]


def test_a_run_without_a_row_has_empty_arrays() -> None:
    series = read_series([HEADER], 100)
    assert all(array.shape == (0,) and array.dtype == np.float64 for array in series.values())
    assert list(series) == ["step", "voltage_v", "anode_flux", "cathode_flux"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "its header is not step,voltage_v,"),
        ([""], "its header is not"),
        (ROWS, "its header is not"),
        (["step,voltage_v,cathode_flux_v_fs,anode_flux_v_fs", *ROWS], "its header is not"),
        ([HEADER, "0,0.0,0.0"], "line 2 does not hold 4 finite numbers"),
        ([HEADER, "0,0.0,0.0,0.0,0.0"], "line 2 does not hold"),
        ([HEADER, ROWS[0], ""], "line 3 does not hold"),
        ([HEADER, ROWS[0], "10,nan,0.0,0.0"], "line 3 does not hold"),
        ([HEADER, "0,0.0,inf,0.0"], "line 2 does not hold"),
        ([HEADER, "0,0.0,x,0.0"], "line 2: could not convert"),
        ([HEADER, "0,0.0,,0.0"], "line 2: could not convert"),
        ([HEADER, *ROWS[1:], "10,0.0,0.0,0.0"], "line 5: step 10 does not follow 30"),
        ([HEADER, ROWS[1], ROWS[1]], "line 3: step 10 does not follow 10"),
        ([HEADER, '0,"0.0,0.0,0.0'], "line 2"),
    ],
)
def test_rows_that_the_driver_does_not_write_are_refused(lines: list[str], words: str) -> None:
    with pytest.raises(BrokenSeries) as refusal:
        read_series(lines, 100)
    assert words in str(refusal.value)


def test_a_field_without_end_is_refused() -> None:
    with pytest.raises(BrokenSeries):
        read_series([HEADER, '"' + "1" * 200_000], 100)
