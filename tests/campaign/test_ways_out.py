"""Every exit code of the project's processes has its way out, under the label that the process itself gives it."""

from importlib.metadata import entry_points
from typing import Any

import pytest

from aiida_rewire.campaign.ways_out import TABLE, exit_code_of, way_out_of
from aiida_rewire.workflows.functions import histograms, looking, measured, snapshots, structures, transmission

PROCESSES = {
    point.name: point
    for group in ("aiida.calculations", "aiida.workflows")
    for point in entry_points(group=group)
    if point.name.startswith("rewire.") and not point.value.startswith("aiida_rewire.workflows.functions.")
}


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_the_table_has_the_exit_codes_of_a_process_and_no_others(name: str) -> None:
    codes: dict[str, Any] = PROCESSES[name].load().spec().exit_codes
    assert {status: code.label for status, code in TABLE[name].items()} == {
        code.status: label for label, code in codes.items()
    }


def test_every_process_and_every_function_that_refuses_stands_in_the_table() -> None:
    functions = {
        "assemble_junction": {structures.EXIT_OVERLAP, structures.EXIT_TOO_NARROW},
        "assemble_junctions": {structures.EXIT_OVERLAP, structures.EXIT_TOO_NARROW},
        "extract_snapshots": {snapshots.EXIT_BROKEN_DUMP},
        "merge_shards": {transmission.EXIT_NO_GRID},
        "rewire.conductance_histogram": {histograms.EXIT_NOT_COUNTED},
        "rewire.current_of_conductance": {looking.EXIT_NO_CURRENT},
        "rewire.noise_of_trace": {looking.EXIT_NO_NOISE},
        "rewire.fit_series_resistance": {measured.EXIT_NO_FIT},
        "rewire.subtract_series_resistance": {measured.EXIT_TOO_LARGE},
    }
    assert set(TABLE) == {*PROCESSES, *functions}
    assert {name: set(TABLE[name]) for name in functions} == functions


def test_every_way_out_says_something_in_a_line() -> None:
    ways = {code.way_out for codes in TABLE.values() for code in codes.values()}
    assert all(10 < len(way) < 220 and "\n" not in way for way in ways), [way for way in ways if len(way) >= 220]


def test_processes_without_an_exit_code_and_strange_codes_have_a_way_out() -> None:
    assert way_out_of("rewire.lane", "killed", None).startswith("somebody killed it")
    assert "the last lines say which" in way_out_of("rewire.lane", "excepted", None)
    assert "no exit code that this release knows" in way_out_of("rewire.md", "failed", 999)
    assert exit_code_of("somebody.elses", 11).label == "ERROR_MISSING_OUTPUT"
    # what the scheduler did is said of any job
    assert "walltime_h" in way_out_of("somebody.elses", "failed", 120)
    assert exit_code_of("rewire.junction", 421).label == "ERROR_SCF_NOT_CONVERGED"


@pytest.mark.parametrize(
    ("line", "way_out"),
    [
        ("slurmstepd: error: *** JOB 17 ON n1 CANCELLED AT noon DUE TO TIME LIMIT ***", "walltime_h"),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in step 17.batch cgroup.", "memory_gb"),
        ("scheduler parser returned exit code<140>: The node running the job failed.", "the machine failed"),
        ("scheduler parser returned exit code<120>: The job ran out of walltime.", "walltime_h"),
        ("forrtl: No space left on device", "neither full nor over quota"),
        ("pw.x: error while loading shared libraries: libmpi.so.40: cannot open shared object file", "starts at all"),
    ],
)
def test_lines_that_tell_more_than_the_exit_code_decide(line: str, way_out: str) -> None:
    assert way_out in way_out_of("rewire.pw", "failed", 305, ["something", line])
    assert way_out_of("rewire.md", "failed", 311, ["ERROR: Lost atoms"]).startswith("a shorter md.timestep_fs")
