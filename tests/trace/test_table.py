"""Traces as files and as cells of a table."""

import csv
import math
from pathlib import Path
from typing import Any

import pytest

from aiida_rewire.trace.table import CSV_COLUMNS, TABLE_COLUMNS, csv_row, microsiemens, table_row, write_csv

Rows = list[dict[str, Any]]


def read_back(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_one_quantum_is_77_microsiemens() -> None:
    assert microsiemens(1.0) == pytest.approx(77.480917, abs=1e-6)
    assert microsiemens(0.0) == 0.0


def test_the_columns_name_their_units(tmp_path: Path, rows: Rows) -> None:
    path = tmp_path / "trace.csv"
    write_csv(rows, path)
    assert path.read_text().splitlines()[0] == ",".join(CSV_COLUMNS)
    for column in ("time_ps", "gap_left_angstrom", "conductance_g0", "conductance_microsiemens"):
        assert column in CSV_COLUMNS


def test_a_trace_reads_back_as_it_was_written(tmp_path: Path, rows: Rows) -> None:
    path = tmp_path / "trace.csv"
    write_csv(rows, path)
    for found, row in zip(read_back(path), rows, strict=True):
        assert float(found["time_ps"]) == row["time_ps"]
        assert int(found["step"]) == row["step"]
        assert int(found["bonds"]) == row["bonds"]
        assert found["stage"] == row["stage"]
        assert float(found["gap_left_angstrom"]) == pytest.approx(row["gap_left_a"], abs=5e-4)
        assert found["conductance_uuid"] == row["conductance_uuid"]
        if not row["missing"]:
            g = row["conductance_g0"]
            assert float(found["conductance_g0"]) == pytest.approx(g, abs=5e-8)
            assert float(found["transmission_per_spin"]) == float(found["conductance_g0"])
            assert float(found["conductance_microsiemens"]) == pytest.approx(77.480917 * g, abs=1e-5)
            assert float(found["unitarity_deviation"]) == pytest.approx(2.5e-5)


def test_numbers_that_are_missing_are_empty_and_say_why(tmp_path: Path, rows: Rows) -> None:
    path = tmp_path / "trace.csv"
    write_csv(rows, path)
    missing = read_back(path)[2]
    numbers = ("transmission_per_spin", "conductance_g0", "conductance_microsiemens", "unitarity_deviation")
    assert [missing[column] for column in numbers] == ["", "", "", ""]
    # the comma within the reason does not make a column
    assert missing["missing"] == "pw.x <12> [410] not converged, after 100 steps"
    assert missing["time_ps"] == "0.4000"
    assert all(row["missing"] == "" for index, row in enumerate(read_back(path)) if index != 2)


def test_no_cell_says_nan(rows: Rows) -> None:
    for row in rows:
        assert not any(cell.lower() in ("nan", "none", "inf") for cell in (*csv_row(row).values(), *table_row(row)))


def test_quotes_and_lines_in_a_reason_survive(tmp_path: Path, rows: Rows) -> None:
    path = tmp_path / "trace.csv"
    rows[2]["missing"] = 'it said "no",\nthen µ'
    write_csv(rows, path)
    assert read_back(path)[2]["missing"] == 'it said "no",\nthen µ'


def test_an_empty_trace_is_its_header(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    write_csv([], path)
    assert path.read_text().splitlines() == [",".join(CSV_COLUMNS)]


def test_rows_of_the_table_have_a_cell_for_each_column(rows: Rows) -> None:
    assert {len(table_row(row)) for row in rows} == {len(TABLE_COLUMNS)}
    assert table_row(rows[3])[:6] == ("0.60", "contact", "1", "1.0007", "1.0007", "77.53")
    assert table_row(rows[2]) == ("0.40", "contact", "1", "-", "-", "-", "missing")


def test_a_conductance_that_was_taken_over_says_so(rows: Rows) -> None:
    reused = rows[3] | {"reused_from": "77aa"}
    assert table_row(reused)[-1] == "reused"
    assert table_row(rows[3])[-1] == "passed"


def test_an_infinite_conductance_counts_as_missing(rows: Rows) -> None:
    rows[3]["conductance_g0"] = math.inf
    assert table_row(rows[3])[-1] == "missing"
    assert csv_row(rows[3])["conductance_g0"] == ""
