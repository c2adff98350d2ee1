"""How runs of pwcond.x end: with a transmission that passed every gate, or with the exit code of one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm

STDOUT = "pwcond.out"


@pytest.fixture
def ended(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Parse an output; None leaves the file out."""

    def factory(
        output: bytes | None,
        energies: tuple[float, ...] = (0.0,),
        weights: tuple[float, ...] = (1.0,),
        tolerance: float = 1e-3,
    ) -> Any:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints([[0.1 * number, 0.2, 0.0] for number in range(1, len(weights) + 1)], weights=weights)
        inputs = {
            "kpoints": kpoints,
            "energies": orm.List(list(energies)),
            "unitarity_tolerance": orm.Float(tolerance),
        }
        return parse("rewire.pwcond", STDOUT, inputs, {} if output is None else {STDOUT: output})

    return factory


@pytest.fixture(scope="module")
def dimer(fixtures: Path) -> bytes:
    """Output for a dimer between leads."""
    return (fixtures / "pwcond" / "dimer.out").read_bytes()


def test_a_transmission_that_passes_is_stored_per_spin(ended: Callable[..., Any], dimer: bytes) -> None:
    parsed = ended(dimer)
    assert parsed.exit_code == ""
    arrays = parsed.outputs["transmission"]
    assert sorted(arrays.get_arraynames()) == ["channels", "energies", "transmission", "unitarity"]
    assert arrays.get_array("transmission") == pytest.approx(np.array([[1.00065935]]))
    assert arrays.get_array("channels").tolist() == [[3]]
    assert parsed.outputs["results"].get_dict()["version"] == "6.7MaX"
    assert parsed.outputs["results"].get_dict()["unitarity_max"] < 1e-12


def test_every_energy_and_k_point_is_stored(ended: Callable[..., Any], fixtures: Path) -> None:
    output = (fixtures / "pwcond" / "lead-two-k-two-energies.out").read_bytes()
    parsed = ended(output, (-0.2, 0.1), (1.0, 3.0))
    assert parsed.exit_code == ""
    arrays = parsed.outputs["transmission"]
    assert arrays.get_array("energies").tolist() == [0.1, -0.2]
    assert arrays.get_array("transmission").tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_a_run_without_output(ended: Callable[..., Any]) -> None:
    assert ended(None).exit_code == "ERROR_OUTPUT_MISSING"


@pytest.mark.parametrize(
    "name", ["empty", "cut off at once", "cut off", "cut off before the timing", "garbage", "binary"]
)
def test_an_output_without_its_end_is_incomplete(ended: Callable[..., Any], dimer: bytes, name: str) -> None:
    contents = {
        "empty": b"",
        "cut off at once": dimer[:2000],
        "cut off": dimer[: dimer.index(b"E-Ef(ev), T")],
        "cut off before the timing": dimer[: dimer.index(b"     PWCOND       :")],
        "garbage": b"Killed\n",
        "binary": bytes(range(256)) * 40,
    }
    parsed = ended(contents[name])
    assert parsed.exit_code == "ERROR_INCOMPLETE"
    assert parsed.outputs == {}


EDITS = {
    "ERROR_UNITARITY": (b"0.80889  0.19111", b"0.80889  0.18111"),
    "ERROR_TOO_MUCH_TRANSMISSION": (b"   2.0013187", b"  -2.0013187"),
    "ERROR_NOT_FINITE": (b"   2.0013187", b"         NaN"),
    "ERROR_INCONSISTENT": (b"0.20013E+01", b"0.20113E+01"),
    "ERROR_INCOMPLETE": (b"ie =          1", b"ie =          2"),
}


@pytest.mark.parametrize("exit_code", EDITS)
def test_each_gate_ends_with_a_code_of_its_own(ended: Callable[..., Any], dimer: bytes, exit_code: str) -> None:
    old, new = EDITS[exit_code]
    assert old in dimer
    parsed = ended(dimer.replace(old, new, 1))
    assert parsed.exit_code == exit_code
    assert parsed.message.startswith("No conductance stored")
    assert parsed.outputs == {}


def test_other_energies_or_k_points_than_asked_for_are_no_result(ended: Callable[..., Any], dimer: bytes) -> None:
    assert ended(dimer, energies=(0.1,)).exit_code == "ERROR_INCONSISTENT"
    assert ended(dimer, energies=(0.0, 0.1)).exit_code == "ERROR_INCOMPLETE"
    assert ended(dimer, weights=(1.0, 1.0)).exit_code == "ERROR_INCOMPLETE"


def test_the_tolerance_is_that_of_the_inputs(ended: Callable[..., Any], dimer: bytes) -> None:
    slightly_off = dimer.replace(b"0.80889  0.19111", b"0.80889  0.19161")
    assert ended(slightly_off).exit_code == ""
    assert ended(slightly_off, tolerance=1e-4).exit_code == "ERROR_UNITARITY"


@pytest.mark.parametrize("where", ["at once", "after the results"])
def test_a_fatal_error_is_named(ended: Callable[..., Any], dimer: bytes, where: str) -> None:
    error = b"\n %%%%\n     Error in routine init_cond (1):\n     1st layer not aligned with z=0\n %%%%\n"
    parsed = ended(dimer[:1000] + error if where == "at once" else dimer + error)
    assert parsed.exit_code == "ERROR_PWCOND"
    assert "init_cond: 1st layer not aligned with z=0" in parsed.message
