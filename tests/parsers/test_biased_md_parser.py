"""How runs of LAMMPS end that went well, went wrong, or left half a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiida import orm

from aiida_rewire.md.script import DUMP_FILE

LOG = "log.lammps"
PARAMETERS = {"steps": 10, "seed": 7, "voltage_v": 4.5, "dump_interval": 10, "temperature_k": 800.0}


@pytest.fixture
def ended(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Parse a log and a dump; None leaves the file out."""

    def factory(log: bytes | None, dump: bytes | None, parameters: dict[str, Any] = PARAMETERS) -> Any:
        files = {name: content for name, content in ((LOG, log), (DUMP_FILE, dump)) if content is not None}
        return parse("rewire.md", LOG, {"parameters": orm.Dict(parameters)}, files)

    return factory


@pytest.fixture(scope="module")
def log(fixtures: Path) -> bytes:
    """Log of a run that ended well."""
    return (fixtures / "md" / "two-frames.log").read_bytes()


@pytest.fixture(scope="module")
def dump(fixtures: Path) -> bytes:
    """Its two frames."""
    return (fixtures / "md" / "two-frames.lammpstrj").read_bytes()


def last_temperature(log: bytes) -> bytes:
    row = log.split(b"\nLoop time")[0].splitlines()[-1]
    return row.split()[1]


def test_a_run_that_ended_well_gives_its_results(ended: Callable[..., Any], log: bytes, dump: bytes) -> None:
    parsed = ended(log, dump)
    assert parsed.exit_code == ""
    results = parsed.outputs["results"].get_dict()
    assert results["lammps_version"] == "22 Jul 2025 - Update 4"
    assert (results["frames"], results["first_step"], results["last_step"]) == (2, 0, 10)
    assert results["temperature_k"] == pytest.approx(800, rel=0.1)
    # 28 atoms of silver, most at the surface
    assert -68 < results["potential_energy_kcal_mol"] / 28 < -40
    assert results["anode_charge_e"] == pytest.approx(-results["cathode_charge_e"], abs=1e-6)
    assert results["anode_charge_e"] > 0.01
    assert results["wall_time_s"] > 0


@pytest.mark.parametrize("given", [{}, {"temperature_k": 800}])
def test_conditions_left_to_their_defaults_are_judged_by_them(
    ended: Callable[..., Any], log: bytes, dump: bytes, given: dict[str, Any]
) -> None:
    given = {"steps": 10, "seed": 7, "dump_interval": 10, **given}
    assert ended(log, dump, given).exit_code == ""
    assert ended(log.replace(last_temperature(log), b"1601.0"), dump, given).exit_code == "ERROR_TEMPERATURE"


def test_a_run_without_log(ended: Callable[..., Any], dump: bytes) -> None:
    assert ended(None, dump).exit_code == "ERROR_LOG_MISSING"
    assert ended(None, None).exit_code == "ERROR_LOG_MISSING"


@pytest.mark.parametrize("name", ["empty", "cut off", "garbage", "binary"])
def test_a_log_without_its_end_is_an_interruption(
    ended: Callable[..., Any], log: bytes, dump: bytes, name: str
) -> None:
    contents = {
        "empty": b"",
        "cut off": log[: log.index(b"Loop time")],
        "garbage": b"Segmentation fault\n",
        "binary": bytes(range(256)) * 40,
    }
    assert ended(contents[name], dump).exit_code == "ERROR_INTERRUPTED"


def test_lost_atoms_and_other_errors_end_with_their_own_code(
    ended: Callable[..., Any], fixtures: Path, dump: bytes
) -> None:
    lost = ended((fixtures / "md" / "lost-atoms.log").read_bytes(), dump)
    assert lost.exit_code == "ERROR_LOST_ATOMS"
    assert "Lost atoms: original 28 current 27" in lost.message
    other = ended((fixtures / "md" / "no-force-field.log").read_bytes(), None)
    assert other.exit_code == "ERROR_LAMMPS"
    assert "ffield.reax cannot be opened" in other.message


@pytest.mark.parametrize("temperature", [b"1601.0", b"99999.9", b"1e12", b"nan", b"inf", b"-nan"])
def test_dynamics_that_blew_up_is_no_result(
    ended: Callable[..., Any], log: bytes, dump: bytes, temperature: bytes
) -> None:
    parsed = ended(log.replace(last_temperature(log), temperature), dump)
    assert parsed.exit_code == "ERROR_TEMPERATURE"
    assert "800.0 K asked for" in parsed.message
    assert parsed.outputs == {}


def test_a_log_whose_temperature_cannot_be_read_is_no_result(
    ended: Callable[..., Any], log: bytes, dump: bytes
) -> None:
    assert ended(log.replace(b"Per MPI rank", b"Per XXX rank"), dump).exit_code == "ERROR_TEMPERATURE"


@pytest.mark.parametrize("name", ["missing", "empty", "cut off", "cut off in the header", "garbage", "binary", "nan"])
def test_frames_that_cannot_be_used_are_no_result(
    ended: Callable[..., Any], log: bytes, dump: bytes, name: str
) -> None:
    contents = {
        "missing": None,
        "empty": b"",
        "cut off": dump[: len(dump) * 3 // 4],
        "cut off in the header": dump[:60],
        "garbage": b"ITEM: TIMESTEP\nITEM: NUMBER OF ATOMS\n",
        "binary": bytes(range(256)) * 40,
        "nan": dump.replace(dump.splitlines()[-1].split()[3], b"nan"),
    }
    parsed = ended(log, contents[name])
    assert parsed.exit_code == "ERROR_BROKEN_DUMP"
    assert parsed.message
    assert parsed.outputs == {}


def test_a_dump_that_ends_before_the_run_is_no_result(ended: Callable[..., Any], log: bytes, dump: bytes) -> None:
    assert ended(log, dump[: dump.index(b"ITEM: TIMESTEP", 10)]).exit_code == "ERROR_BROKEN_DUMP"
