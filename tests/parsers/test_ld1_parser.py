"""Pseudopotentials of ld1.x, whole and not."""

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from aiida import orm

from aiida_rewire.fixtures import fixture_path

STDOUT = "ld1.out"
ERROR = b"""
 %%%%%%%%%%%%%%%%%%%%
     Error in routine ld1_readin (1):
     reading inputp namelist
 %%%%%%%%%%%%%%%%%%%%
"""


@pytest.fixture
def ended(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Parse the files of a run of ld1.x."""

    def factory(**files: bytes) -> Any:
        generation = orm.SinglefileData(fixture_path("ld1", "Ag.frozen-d.in"))
        named = {name.replace("_", "."): content for name, content in files.items()}
        return parse("rewire.ld1", STDOUT, {"generation": generation}, named)

    return factory


def test_what_the_scheduler_says_of_a_job_is_not_lost(parse: Callable[..., Any]) -> None:
    inputs = {"generation": orm.SinglefileData(fixture_path("ld1", "Ag.frozen-d.in"))}
    alone = parse("rewire.ld1", STDOUT, inputs, {})
    parsed = parse("rewire.ld1", STDOUT, inputs, {}, scheduler=(140, "The node running the job failed."))
    assert parsed.exit_code == alone.exit_code != ""
    assert parsed.message == f"{alone.message}; the scheduler: The node running the job failed."


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Output and pseudopotential of ld1.x on the project's own input."""
    program = shutil.which("ld1.x")
    if program is None:
        pytest.skip("ld1.x of Quantum ESPRESSO is not on PATH")
    folder = tmp_path_factory.mktemp("ld1")
    text = fixture_path("ld1", "Ag.frozen-d.in").read_bytes()
    done = subprocess.run([program], input=text, cwd=folder, capture_output=True, timeout=60, check=True)
    (upf,) = folder.glob("*.UPF")
    return {STDOUT: done.stdout, "Ag.UPF": upf.read_bytes()}


@pytest.mark.real
def test_the_projects_own_input_gives_silver_with_one_electron(
    ended: Callable[..., Any], made: dict[str, bytes]
) -> None:
    parsed = ended(ld1_out=made[STDOUT], Ag_UPF=made["Ag.UPF"])
    assert parsed.exit_code == ""
    pseudo = parsed.outputs["pseudo"]
    assert (pseudo.element, pseudo.z_valence) == ("Ag", 1)
    assert pseudo.get_content().encode() == made["Ag.UPF"]


@pytest.mark.real
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_pseudopotential_that_is_cut_off_is_not_stored(
    ended: Callable[..., Any], made: dict[str, bytes], part: float
) -> None:
    upf = made["Ag.UPF"]
    parsed = ended(ld1_out=made[STDOUT], Ag_UPF=upf[: int(part * len(upf))])
    assert parsed.exit_code == "ERROR_INVALID_PSEUDOPOTENTIAL"
    assert parsed.outputs == {}


@pytest.mark.parametrize("content", [b"", b"garbage", bytes(range(256)) * 10, b"<UPF>\n</UPF>\n"])
def test_a_file_that_is_no_pseudopotential_is_not_stored(ended: Callable[..., Any], content: bytes) -> None:
    parsed = ended(ld1_out=b"", Ag_UPF=content)
    assert parsed.exit_code == "ERROR_INVALID_PSEUDOPOTENTIAL"
    assert parsed.outputs == {}


def test_a_run_that_failed_says_why(ended: Callable[..., Any]) -> None:
    parsed = ended(ld1_out=b"Program LD1 v.6.7MaX starts\n" + ERROR)
    assert parsed.exit_code == "ERROR_NO_PSEUDOPOTENTIAL"
    assert "Error in routine ld1_readin (1): reading inputp namelist" in parsed.message


def test_a_run_that_left_nothing_says_so(ended: Callable[..., Any]) -> None:
    parsed = ended()
    assert parsed.exit_code == "ERROR_NO_PSEUDOPOTENTIAL"
    assert "no output" in parsed.message


@pytest.mark.parametrize("output", [b"", b"Program LD1 v.6.7MaX starts\n", bytes(range(256)) * 10])
def test_an_output_without_pseudopotential_counts_the_files(ended: Callable[..., Any], output: bytes) -> None:
    parsed = ended(ld1_out=output)
    assert parsed.exit_code == "ERROR_NO_PSEUDOPOTENTIAL"
    assert "0 files" in parsed.message


def test_two_pseudopotentials_are_one_too_many(ended: Callable[..., Any]) -> None:
    header = b'<PP_HEADER element="Ag" pseudo_type="NC" z_valence="1.0"/>'
    parsed = ended(ld1_out=b"", Ag_UPF=header, Cu_UPF=header)
    assert parsed.exit_code == "ERROR_NO_PSEUDOPOTENTIAL"
    assert "2 files" in parsed.message
