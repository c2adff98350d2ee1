"""The conductances of a campaign as a table: rows, CSV, Parquet."""

import csv
import io
import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from made_conductances import after, make_chain, make_conductance

from aiida_rewire.campaign.table import (
    COLUMNS,
    METADATA_KEY,
    Doubled,
    chain_at,
    conductance_rows,
    description_of,
    write_csv,
    write_parquet,
)

pytestmark = pytest.mark.usefixtures("aiida_profile")


@pytest.fixture
def label() -> str:
    return f"table-{uuid.uuid4().hex[:8]}"


def csv_of(rows: list[dict[str, Any]]) -> str:
    handle = io.StringIO(newline="")
    write_csv(rows, handle)
    return handle.getvalue()


def test_there_is_a_row_for_each_snapshot_by_chain_and_step(label: str) -> None:
    first, second = make_chain(label, "8V-s1"), make_chain(label, "2V-s1")
    made = [
        make_conductance(label, "8V-s1", 1, 0.75, voltage_v=8.0),
        make_conductance(label, "8V-s1", 0, 1 / 3, voltage_v=8.0),
        make_conductance(label, "2V-s1", 10, 2.0, reused_from="b0c1"),
        make_conductance(label, "2V-s1", 9, 1e-5),
    ]
    make_conductance(f"{label}x", "2V-s1", 9)
    rows = conductance_rows(label)
    assert [(row["chain"], row["step"]) for row in rows] == [
        ("2V-s1", 900),
        ("2V-s1", 1000),
        ("8V-s1", 0),
        ("8V-s1", 100),
    ]
    assert [row["uuid"] for row in rows] == [made[number].uuid for number in (3, 2, 1, 0)]
    assert [row["chain_uuid"] for row in rows] == [second.uuid] * 2 + [first.uuid] * 2
    assert rows[1] == {
        "uuid": made[2].uuid,
        "chain": "2V-s1",
        "chain_uuid": second.uuid,
        "seed": 1,
        "voltage_v": 2.0,
        "time_ps": 1.0,
        "step": 1000,
        "stage": "contact",
        "min_cut": 3,
        "conductance_g0": 2.0,
        "transmission_fermi": 2.0,
        "unitarity_max": 1.25e-4,
        "potential_mismatch_ev": -0.0123456789,
        "n_kpoints": 1,
        "protocol": "demo",
        "pseudo_family": "rewire/frozen-d",
        "reused_from": "b0c1",
        "snapshot": 10,
    }
    # whole numbers of volts are floats all the same, so that every reader infers one type
    assert all(isinstance(row["voltage_v"], float) for row in rows)


def test_numbers_read_back_as_they_are_stored(label: str) -> None:
    made = [make_conductance(label, "2V-s1", n, value) for n, value in enumerate((1 / 3, 2 / 7, 1e-17, 0.1 + 0.2))]
    rows = conductance_rows(label)
    text = csv_of(rows)
    assert text.count("\r\n") == text.count("\n") == 5
    read = list(csv.DictReader(io.StringIO(text, newline="")))
    assert list(read[0]) == [column.name for column in COLUMNS]
    for row, node in zip(read, made, strict=True):
        stored = node.base.attributes.all
        assert row["uuid"] == node.uuid
        assert row["reused_from"] == row["chain_uuid"] == ""
        for column in COLUMNS:
            if column.name in stored:
                assert column.kind(row[column.name]) == stored[column.name]


def test_a_text_with_commas_and_quotes_is_one_value() -> None:
    row: dict[str, Any] = {column.name: None for column in COLUMNS} | {"stage": 'a "b", c\nd'}
    read = list(csv.DictReader(io.StringIO(csv_of([row]), newline="")))
    assert [line["stage"] for line in read] == ['a "b", c\nd']


def test_parquet_holds_the_same_with_units_and_the_campaign(label: str, tmp_path: Path) -> None:
    make_conductance(label, "2V-s1", 0, 1 / 3)
    make_conductance(label, "2V-s1", 1, 1 / 7, reused_from="b0c1")
    rows = conductance_rows(label)
    extras = {"digest": "d1", "versions": {"aiida-core": "2.9.4"}, "spec": {"description": "what for"}}
    path = tmp_path / "table.parquet"
    with path.open("wb") as handle:
        write_parquet(rows, description_of(label, extras, rows), handle)
    table = pq.read_table(path)
    assert table.to_pylist() == rows
    assert table.schema.field("voltage_v").metadata[b"unit"] == b"V"
    described = json.loads(table.schema.metadata[METADATA_KEY])
    assert described["campaign"] == label
    assert described["digest"] == "d1"
    assert described["versions"] == {"aiida-core": "2.9.4"}
    assert described["description"] == "what for"
    assert described["method"] == {"doi": "10.1039/d3nh00476g"}
    assert described["rows"] == 2
    assert described["conductance_quantum_siemens"] == pytest.approx(77.480917e-6, rel=1e-7)
    assert list(described["columns"]) == [column.name for column in COLUMNS]
    assert described["columns"]["time_ps"]["unit"] == "ps"


def test_an_empty_table_has_its_columns(label: str, tmp_path: Path) -> None:
    assert conductance_rows(label) == []
    assert csv_of([]) == ",".join(column.name for column in COLUMNS) + "\r\n"
    path = tmp_path / "table.parquet"
    with path.open("wb") as handle:
        write_parquet([], {}, handle)
    assert pq.read_table(path).column_names == [column.name for column in COLUMNS]


def test_two_conductances_of_a_snapshot_are_an_error_that_names_both(label: str) -> None:
    first, second = make_conductance(label, "2V-s1", 3, 1.0), make_conductance(label, "2V-s1", 3, 2.0)
    with pytest.raises(Doubled) as error:
        conductance_rows(label)
    assert first.uuid in str(error.value)
    assert second.uuid in str(error.value)
    assert "2V-s1 at step 300" in str(error.value)
    second.base.extras.set("rewire_void", "a double")
    assert [row["uuid"] for row in conductance_rows(label)] == [first.uuid]


def test_a_conductance_is_of_the_attempt_that_ran_when_it_was_stored() -> None:
    begins = [(after(0), "first"), (after(60), "second")]
    assert chain_at(begins, after(59)) == "first"
    assert chain_at(begins, after(60)) == "second"
    assert chain_at(begins, after(600)) == "second"
    assert chain_at(begins, after(-1)) is None
    assert chain_at([], after(1)) is None


def test_the_documentation_lists_every_column_with_its_unit() -> None:
    page = Path(__file__).parents[2] / "docs" / "howto" / "publish-a-campaign.md"
    rows = [line.split("|")[1:3] for line in page.read_text().splitlines() if line.startswith("| `")]
    listed = [(name.strip(" `"), unit.strip()) for name, unit in rows]
    assert listed == [(column.name, column.unit or "-") for column in COLUMNS]
