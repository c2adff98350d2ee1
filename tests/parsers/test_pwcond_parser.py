"""How runs of pwcond.x end: with a transmission that passed every gate, or with an exit code."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from fatal_errors import FATAL

STDOUT = "pwcond.out"

WIRE = {"points": ((0.0, 0.0), (0.1, 0.2)), "weights": (0.5, 0.5), "energies": (1.0, 0.0, -1.0)}
"""Grid of the recorded wires."""

WIRE_T = np.array([[1.7697457, 1.8178887], [1.8698222, 1.8601913], [0.9992409, 0.6043562]]) / 2
"""As printed for both spins, wire-junction.out."""


@pytest.fixture(scope="module")
def ended(parse: Callable[..., Any], cluster: orm.Computer) -> Callable[..., Any]:
    """Parse the outputs of one run or of several shards; None leaves a file out."""

    def factory(
        *outputs: bytes | None,
        energies: tuple[float, ...] = (0.0,),
        weights: tuple[float, ...] = (1.0,),
        points: tuple[tuple[float, float], ...] | None = None,
        tolerance: float = 1e-3,
        files: dict[str, bytes] | None = None,
        shards: list[list[int]] | None = None,
        spin: str = "",
        parents: tuple[str, ...] = ("left_lead", "junction"),
    ) -> Any:
        chosen = points or tuple((0.1 * number, 0.2) for number in range(1, len(weights) + 1))
        kpoints = orm.KpointsData()
        kpoints.set_kpoints([[kx, ky, 0.0] for kx, ky in chosen], weights=weights)
        inputs: dict[str, orm.Data] = {
            "kpoints": kpoints,
            "energies": orm.List(list(energies)),
            "unitarity_tolerance": orm.Float(tolerance),
            **{name: orm.RemoteData(remote_path="/nowhere", computer=cluster) for name in parents},
        }
        if shards is not None:
            inputs["shards"] = orm.List(shards)
        if spin:
            inputs["spin"] = orm.Str(spin)
        names = [STDOUT, *(f"pwcond.{number}.out" for number in range(1, len(outputs)))]
        left = {name: output for name, output in zip(names, outputs, strict=True) if output is not None}
        return parse("rewire.pwcond", STDOUT, inputs, left | (files or {}))

    return factory


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> Callable[[str], bytes]:
    """Read a recorded output."""
    return lambda name: (fixtures / "pwcond" / name).read_bytes()


@pytest.fixture(scope="module")
def dimer(recorded: Callable[[str], bytes]) -> bytes:
    """Output for a dimer between leads."""
    return recorded("dimer.out")


@pytest.fixture(scope="module")
def wire(recorded: Callable[[str], bytes]) -> bytes:
    """Output for a wire with a gap, three energies and two k-points."""
    return recorded("wire-junction.out")


def array(parsed: Any, name: str) -> np.ndarray:
    values: np.ndarray = parsed.outputs["transmission"].get_array(name)
    return values


def results(parsed: Any) -> dict[str, Any]:
    values: dict[str, Any] = parsed.outputs["results"].get_dict()
    return values


def until(output: bytes, header: str) -> bytes:
    """Everything before the header of a state, or of a k-point."""
    return output[: output.index(header.encode())]


def begun(output: bytes, energy: int, kpoint: int) -> bytes:
    """Everything up to the headers of a state, from 0."""
    place = f"---  ie = {energy + 1:10d}  ik = {kpoint + 1:10d}\n".encode()
    return output[: output.index(place) + len(place)]


def stopped(output: bytes, routine: str = "gep_x", message: str = "error on zggev") -> bytes:
    bar = b" " + 78 * b"%" + b"\n"
    return output + b"\n" + bar + f"     Error in routine {routine} (1):\n     {message}\n".encode() + bar


def test_a_transmission_that_passes_is_stored_per_spin(ended: Callable[..., Any], dimer: bytes) -> None:
    parsed = ended(dimer)
    assert parsed.exit_code == ""
    names = ["channels", "eigenchannels", "energies", "kpoints", "transmission", "unitarity", "weights"]
    assert sorted(parsed.outputs["transmission"].get_arraynames()) == names
    assert array(parsed, "transmission") == pytest.approx(np.array([[1.00065935]]))
    assert array(parsed, "channels").tolist() == [[3]]
    assert array(parsed, "kpoints").tolist() == [[0.1, 0.2]]
    eigenchannels = array(parsed, "eigenchannels")
    assert eigenchannels.shape == (1, 1, 3)
    # one conductance quantum
    assert eigenchannels.sum() == pytest.approx(1.00066, abs=1e-5)
    found = results(parsed)
    assert found["version"] == "6.7MaX"
    assert found["unitarity_max"] < 1e-12
    assert found["wall_seconds"] == found["core_seconds"] == 6.31
    assert (found["shards"], found["pairs"], found["failed_pairs"]) == (1, 1, [])


def test_every_energy_and_k_point_is_stored(ended: Callable[..., Any], wire: bytes) -> None:
    parsed = ended(wire, **WIRE)
    assert parsed.exit_code == ""
    assert array(parsed, "energies").tolist() == [1.0, 0.0, -1.0]
    assert array(parsed, "kpoints").tolist() == [[0.0, 0.0], [0.1, 0.2]]
    assert array(parsed, "weights").tolist() == [0.5, 0.5]
    assert array(parsed, "transmission") == pytest.approx(WIRE_T, abs=1e-12)
    assert array(parsed, "eigenchannels")[..., 0] == pytest.approx(WIRE_T, abs=1e-5)
    # a k-sum by hand is what pwcond.x prints, 0.17938E+01 and so on
    assert 2 * array(parsed, "transmission") @ [0.5, 0.5] == pytest.approx([1.7938, 1.8650, 0.80180], abs=5e-5)


def test_energies_of_the_input_may_stand_in_any_order(ended: Callable[..., Any], wire: bytes) -> None:
    parsed = ended(wire, **{**WIRE, "energies": (-1.0, 1.0, 0.0)})
    assert parsed.exit_code == ""
    assert array(parsed, "transmission") == pytest.approx(WIRE_T, abs=1e-12)


def test_k_points_have_weights(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    points = ((0.1, 0.2), (0.3, 0.1))
    output = recorded("lead-two-k-two-energies.out")
    parsed = ended(output, energies=(-0.2, 0.1), weights=(0.25, 0.75), points=points)
    assert parsed.exit_code == ""
    assert array(parsed, "transmission").tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert array(parsed, "weights").tolist() == [0.25, 0.75]
    assert ended(output, energies=(-0.2, 0.1), weights=(0.5, 0.5), points=points).exit_code == "ERROR_INCONSISTENT"


def test_two_leads_that_differ(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    grid = {**WIRE, "energies": (1.0, -1.0, -2.0), "parents": ("left_lead", "junction", "right_lead")}
    parsed = ended(recorded("wire-junction-two-leads.out"), **grid)
    assert parsed.exit_code == ""
    assert array(parsed, "transmission") == pytest.approx(np.vstack([WIRE_T[[0, 2]], [0.0, 0.0]]), abs=1e-12)
    assert array(parsed, "channels").tolist() == [[1, 1], [1, 1], [0, 0]]


def test_one_spin_is_stored_as_printed(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    grid = {"points": WIRE["points"], "weights": (0.25, 0.75), "energies": (0.0, -3.0)}
    parsed = ended(recorded("wire-spin.out"), spin="up", **grid)
    assert parsed.exit_code == ""
    assert array(parsed, "transmission").tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert ended(recorded("wire-spin.out"), **grid).exit_code == "ERROR_INCONSISTENT"


def test_both_spins_are_not_taken_for_one(ended: Callable[..., Any], wire: bytes) -> None:
    assert ended(wire, spin="up", **WIRE).exit_code == "ERROR_INCONSISTENT"


def test_complex_bands_are_stored(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    bands = {"bands.3d": recorded("wire-bands.3d")}
    parsed = ended(recorded("wire-bands.out"), files=bands, parents=("left_lead",), **WIRE)
    found = parsed.outputs["bands"]
    assert found.get_array("energies").tolist() == [1.0, 0.0, -1.0]
    assert found.get_array("channels").tolist() == [[1, 1]] * 3
    vectors = found.get_array("wave_vectors")
    real = vectors[(vectors.imag == 0) & (found.get_array("kpoint_index") == 0)].real
    assert real.tolist() == [0.3444396, -0.3444396, 0.2663676, -0.2663676, 0.1577708, -0.1577708]
    assert "transmission" not in parsed.outputs
    assert results(parsed)["version"] == "6.7MaX"
    assert parsed.exit_code == ""


def test_complex_bands_that_are_cut_off_are_not_stored(
    ended: Callable[..., Any], recorded: Callable[[str], bytes]
) -> None:
    output, rows = recorded("wire-bands.out"), recorded("wire-bands.3d")
    cases = [(output[:5000], rows), (output, rows[:5000]), (output, b""), (output, bytes(range(256)))]
    for stdout, bands in cases:
        parsed = ended(stdout, files={"bands.3d": bands}, parents=("left_lead",), **WIRE)
        assert parsed.exit_code in ("ERROR_INCOMPLETE", "ERROR_MISSING", "ERROR_INCONSISTENT")
        assert "bands" not in parsed.outputs
    assert "bands" not in ended(output, parents=("left_lead",), **WIRE).outputs


def test_a_shard_is_stored_in_its_place(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    parsed = ended(recorded("wire-junction-shard.out"), shards=[[1, 1, 1, 2]], **WIRE)
    assert parsed.exit_code == ""
    transmission = array(parsed, "transmission")
    assert transmission[1:, 1] == pytest.approx(WIRE_T[1:, 1], abs=1e-12)
    assert np.isnan(transmission).sum() == 4
    assert array(parsed, "channels").tolist() == [[-1, -1], [-1, 1], [-1, 1]]


def test_a_shard_is_that_which_was_asked_for(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    output = recorded("wire-junction-shard.out")
    assert ended(output, shards=[[1, 1, 0, 2]], **WIRE).exit_code == "ERROR_MISSING"
    assert ended(output, shards=[[0, 0, 0, 2]], **WIRE).exit_code == "ERROR_INCONSISTENT"
    assert ended(output, **WIRE).exit_code == "ERROR_MISSING"


def test_of_two_shards_the_one_that_was_cut_off_leaves_what_it_had_finished(
    ended: Callable[..., Any], wire: bytes, recorded: Callable[[str], bytes]
) -> None:
    shards = [[0, 0, 0, 2], [1, 1, 1, 2]]
    cut = begun(wire, 2, 0)
    for outputs, order in (
        ((cut, recorded("wire-junction-shard.out")), shards),
        ((recorded("wire-junction-shard.out"), cut), shards[::-1]),
    ):
        parsed = ended(*outputs, shards=order, **WIRE)
        assert parsed.exit_code == "ERROR_INCOMPLETE"
        assert "it has no end, 1 of 2 runs" in parsed.message
        wanted = WIRE_T.copy()
        wanted[2, 0] = wanted[0, 1] = np.nan
        assert array(parsed, "transmission") == pytest.approx(wanted, abs=1e-12, nan_ok=True)
        assert results(parsed)["failed_pairs"] == []
        assert (results(parsed)["shards"], results(parsed)["pairs"]) == (2, 4)


def test_a_shard_that_left_no_output_is_incomplete(
    ended: Callable[..., Any], recorded: Callable[[str], bytes]
) -> None:
    parsed = ended(None, recorded("wire-junction-shard.out"), shards=[[0, 0, 0, 2], [1, 1, 1, 2]], **WIRE)
    assert parsed.exit_code == "ERROR_INCOMPLETE"
    assert np.isfinite(array(parsed, "transmission")).tolist() == [[False, False], [False, True], [False, True]]


def test_out_of_time_what_was_computed_is_kept(ended: Callable[..., Any], recorded: Callable[[str], bytes]) -> None:
    energies = (1.0, 0.5, 0.0, -1.0, -1.5, -2.0)
    parsed = ended(recorded("wire-junction-out-of-time.out"), **{**WIRE, "energies": energies})
    assert parsed.exit_code == "ERROR_INCOMPLETE"
    assert "out of wall time, 1 of 1 runs" in parsed.message
    printed = np.array([1.7697457, 1.9503406, 1.8698222, 0.9992409, 0.0050506, 0.0]) / 2
    assert array(parsed, "transmission")[:, 0] == pytest.approx(printed, abs=1e-12)
    assert np.isnan(array(parsed, "transmission")[:, 1]).all()


@pytest.mark.parametrize("output", [None, b""])
def test_a_run_without_output(ended: Callable[..., Any], output: bytes | None) -> None:
    parsed = ended(output)
    assert parsed.exit_code == "ERROR_OUTPUT_MISSING"
    assert parsed.outputs == {}


@pytest.mark.parametrize("name", ["cut off at once", "cut off", "cut off in a number", "garbage", "binary", "blank"])
def test_an_output_without_a_whole_state_is_incomplete(ended: Callable[..., Any], dimer: bytes, name: str) -> None:
    contents = {
        "cut off at once": dimer[:2000],
        "cut off": dimer[: dimer.index(b"E-Ef(ev), T")],
        "cut off in a number": dimer[: dimer.index(b"2.0013187") + 5],
        "garbage": b"Killed\n",
        "binary": bytes(range(256)) * 40,
        "blank": b"\n",
    }
    parsed = ended(contents[name])
    assert parsed.exit_code == "ERROR_INCOMPLETE"
    assert "transmission" not in parsed.outputs
    assert results(parsed)["failed_pairs"] == []


def test_an_output_that_lacks_its_timing_alone_is_incomplete(ended: Callable[..., Any], dimer: bytes) -> None:
    parsed = ended(until(dimer, "     PWCOND       :"))
    assert parsed.exit_code == "ERROR_INCOMPLETE"
    assert array(parsed, "transmission") == pytest.approx(np.array([[1.00065935]]))


EDITS = {
    "ERROR_UNITARITY": (b"0.80889  0.19111", b"0.80889  0.18111"),
    "ERROR_TOO_MUCH_TRANSMISSION": (b"   2.0013187", b"  -2.0013187"),
    "ERROR_NOT_FINITE": (b"   2.0013187", b"         NaN"),
    "ERROR_INCONSISTENT": (b"0.20013E+01", b"0.20113E+01"),
}


def consistent(output: bytes, exit_code: str) -> bytes:
    """Damage that only one gate can see."""
    if exit_code == "ERROR_UNITARITY":
        # R_ij sum to R_j, but T_j + R_j = 0.99
        old = re.search(rb"\n    1 -->     1 .*\n", output)
        assert old is not None
        words = old.group().split()
        reflected = float(words[-1]) - 0.01
        output = output.replace(old.group(), old.group().replace(words[-1], f"{reflected:.5f}".encode()), 1)
    before, after = EDITS[exit_code]
    assert before in output
    return output.replace(before, after, 1)


@pytest.mark.parametrize("exit_code", EDITS)
def test_each_gate_ends_with_a_code_of_its_own(ended: Callable[..., Any], dimer: bytes, exit_code: str) -> None:
    parsed = ended(consistent(dimer, exit_code))
    assert parsed.exit_code == exit_code
    assert parsed.message.startswith("No transmission stored")
    assert parsed.outputs == {}


def test_other_energies_or_k_points_than_asked_for_are_no_result(ended: Callable[..., Any], dimer: bytes) -> None:
    assert ended(dimer, energies=(0.1,)).exit_code == "ERROR_INCONSISTENT"
    assert ended(dimer, energies=(0.0, -0.1)).exit_code == "ERROR_MISSING"
    assert ended(dimer, points=((0.1, 0.3),)).exit_code == "ERROR_INCONSISTENT"
    # another list is printed than was asked for
    assert ended(dimer, weights=(0.5, 0.5)).exit_code == "ERROR_INCONSISTENT"


def test_the_tolerance_is_that_of_the_inputs(ended: Callable[..., Any], dimer: bytes) -> None:
    broken = consistent(dimer, "ERROR_UNITARITY")
    assert ended(broken, tolerance=9.9e-3).exit_code == "ERROR_UNITARITY"
    parsed = ended(broken, tolerance=1.1e-2)
    assert parsed.exit_code == ""
    assert array(parsed, "unitarity").tolist() == [[pytest.approx(0.01, abs=1e-9)]]
    assert results(parsed)["unitarity_max"] == pytest.approx(0.01, abs=1e-9)


def test_every_recorded_fatal_error_is_tried(fixtures: Path) -> None:
    assert {path.stem for path in (fixtures / "pwcond" / "fatal").iterdir()} == set(FATAL)


@pytest.mark.parametrize("name", FATAL)
def test_a_fatal_error_ends_with_the_code_of_its_kind(
    ended: Callable[..., Any], recorded: Callable[[str], bytes], name: str
) -> None:
    output = recorded(f"fatal/{name}.out")
    parsed = ended(output, points=((0.0, 0.0),))
    assert parsed.exit_code == FATAL[name]
    error = re.search(rb"Error in routine (.*) \(.*\n *(.*)", output)
    assert error is not None
    routine, message = (group.decode().strip() for group in error.groups())
    assert f"{routine}: {message}" in parsed.message
    assert "transmission" not in parsed.outputs
    assert results(parsed)["failed_pairs"] == [[0, 0]]


@pytest.mark.parametrize(
    ("routine", "exit_code"),
    [
        ("gep_x", "ERROR_COMPLEX_BANDS"),
        ("hev_ab", "ERROR_LATERAL_BASIS"),
        ("gramsh", "ERROR_GRAM_SCHMIDT"),
        ("transmit", "ERROR_LINEAR_EQUATIONS"),
        ("compbs_2", "ERROR_LINEAR_EQUATIONS"),
        ("cft_1z", "ERROR_PWCOND"),
    ],
)
def test_where_the_numerics_fail_the_pair_is_named(
    ended: Callable[..., Any], wire: bytes, routine: str, exit_code: str
) -> None:
    parsed = ended(stopped(begun(wire, 1, 1), routine, "failed"), **WIRE)
    assert parsed.exit_code == exit_code
    assert f"{routine}: failed" in parsed.message
    assert results(parsed)["failed_pairs"] == [[1, 1]]
    wanted = WIRE_T.copy()
    wanted[1:, 1] = np.nan
    assert array(parsed, "transmission") == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def test_a_basis_that_fails_is_that_of_the_next_k_point(ended: Callable[..., Any], wire: bytes) -> None:
    # the basis of a k-point is built before its first energy is named
    first = wire.index(b"---  ie =          1  ik =          2")
    before_basis = wire[: wire.rindex(b" ngper, shell", 0, first)]
    parsed = ended(stopped(before_basis, "hev_ab", "info =/= 0"), **WIRE)
    assert parsed.exit_code == "ERROR_LATERAL_BASIS"
    assert results(parsed)["failed_pairs"] == [[0, 1]]
    assert np.isfinite(array(parsed, "transmission")).tolist() == [[True, False]] * 3


def test_every_shard_names_the_pair_at_which_it_failed(ended: Callable[..., Any], wire: bytes) -> None:
    after = wire.index(b"---  ie =          1  ik =          2")
    second = wire[: wire.index(b"---  E-Ef =")] + wire[wire.rindex(b"---  E-Ef", 0, after) :]
    parsed = ended(
        stopped(begun(wire, 2, 0)), stopped(begun(second, 1, 1)), shards=[[0, 0, 0, 2], [1, 1, 0, 2]], **WIRE
    )
    assert parsed.exit_code == "ERROR_COMPLEX_BANDS"
    assert results(parsed)["failed_pairs"] == [[2, 0], [1, 1]]
    assert np.isfinite(array(parsed, "transmission")).tolist() == [[True, True], [True, False], [False, False]]


def test_a_final_error_of_a_shard_counts_before_one_that_other_numerics_mend(
    ended: Callable[..., Any], wire: bytes, recorded: Callable[[str], bytes]
) -> None:
    outputs = [stopped(begun(wire, 2, 0)), recorded("fatal/no-charge-density.out")]
    for order in (slice(None), slice(None, None, -1)):
        shards = [[0, 0, 0, 2], [1, 1, 0, 2]][order]
        assert ended(*outputs[order], shards=shards, **WIRE).exit_code == "ERROR_PARENT_FILES"


def test_a_fatal_error_after_the_results_is_one(ended: Callable[..., Any], dimer: bytes) -> None:
    parsed = ended(stopped(dimer, "init_cond", "1st Layer of a cell should be aligned with Z=0 plane"))
    assert parsed.exit_code == "ERROR_FIRST_LAYER"


def cut(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    return raw[:at]


def lost(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    return raw[:at] + raw[at + rng.randint(1, 300) :]


def bits(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    for place in (at, rng.randrange(len(raw)), rng.randrange(at, len(raw))):
        raw[place] ^= 1 << rng.randrange(8)
    return raw


def digit(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    later = [m.start() for m in re.finditer(rb"[0-9]", raw) if m.start() >= at]
    if later:
        raw[rng.choice(later)] = rng.choice(b"0123456789")
    return raw


def doubled(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    return raw[:at] + raw[max(0, at - rng.randint(1, 900)) :]


def junk(raw: bytearray, rng: random.Random, at: int) -> bytearray:
    return raw[:at] + rng.randbytes(rng.randint(1, 40)) + raw[at:]


MUTATIONS = [cut, lost, bits, digit, doubled, junk]
FUZZED: list[tuple[str, dict[str, Any]]] = [
    ("dimer.out", {}),
    ("wire-junction.out", WIRE),
    ("wire-junction-shard.out", {**WIRE, "shards": [[1, 1, 1, 2]]}),
    ("wire-junction-two-leads.out", {**WIRE, "energies": (1.0, -1.0, -2.0)}),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize(("name", "grid"), FUZZED, ids=[name for name, _ in FUZZED])
def test_damage_ends_with_an_exit_code_or_changes_nothing(
    ended: Callable[..., Any],
    recorded: Callable[[str], bytes],
    name: str,
    grid: dict[str, Any],
    mutation: Callable[..., bytearray],
) -> None:
    output = recorded(name)
    whole = ended(output, **grid)
    assert whole.exit_code == ""
    undisturbed, rounding = array(whole, "transmission"), 1e-5 * (array(whole, "channels").max() + 1)
    for seed in range(3):
        rng = random.Random(f"{name} {mutation.__name__} {seed}")  # noqa: S311
        at = rng.randrange(output.index(b"---  E-Ef"), len(output))
        parsed = ended(bytes(mutation(bytearray(output), rng, at)), **grid)
        if "transmission" in parsed.outputs:
            found = array(parsed, "transmission")
            stored = np.isfinite(found)
            assert stored.any()
            assert found[stored] == pytest.approx(undisturbed[stored], abs=rounding), seed
            assert parsed.exit_code or (stored == np.isfinite(undisturbed)).all()
        else:
            assert parsed.exit_code.startswith("ERROR_")
            assert parsed.message
