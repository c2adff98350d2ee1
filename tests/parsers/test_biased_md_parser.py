"""How jobs of molecular dynamics end that went well, went wrong, or left half a file.

The runs in ``fixtures/md`` are described in ``tests/md/test_log.py``.
"""

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType

from aiida_rewire.calculations.biased_md import BiasedMdCalculation
from aiida_rewire.junction.tips import build_tips
from aiida_rewire.md.bias_series import read_series
from aiida_rewire.parsers.biased_md import BiasedMdParser

LOG, GZ, PLAIN, CSV = "log.lammps", "trajectory.lammpstrj.gz", "trajectory.lammpstrj", "bias.csv"
STDERR = "_scheduler-stderr.txt"
DRIVER: dict[str, Any] = {
    "steps": 40, "seed": 7, "voltage_v": 8.0, "dump_interval": 10, "checkpoint_interval": 20,
}  # fmt: skip
NONE: dict[str, Any] = {**DRIVER, "voltage_v": 0.0, "bias": "none"}
LONG = {"steps": 6000, "checkpoint_interval": 2000, "dump_interval": 500}
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def structure(aiida_profile: Any) -> orm.StructureData:
    """The tips of the recorded runs."""
    tips = build_tips(base_side=3, gap=5.0)
    node = orm.StructureData(pbc=[False] * 3)
    for position, region in zip(tips.positions.tolist(), tips.regions, strict=True):
        node.append_atom(position=position, symbols="Ag", name=str(region))
    return node.store()


class OfFiles(BiasedMdParser):
    """The parser on files that no database holds: many times faster."""

    retrieved: Any = None


@dataclass(frozen=True)
class Parsed:
    """What the parser gave."""

    outputs: dict[str, orm.Data]
    exit_code: str
    message: str


@pytest.fixture(scope="module")
def ended(cluster: orm.Computer, structure: orm.StructureData) -> Callable[..., Parsed]:
    """Parse files as those of a job that went on from ``parent``, if from anything."""
    nodes: dict[str, orm.CalcJobNode] = {}
    labels = {code.status: label for label, code in BiasedMdCalculation.exit_codes.items()}

    def node_of(parameters: dict[str, Any], parent: dict[str, Any] | None) -> orm.CalcJobNode:
        key = json.dumps([parameters, parent])
        if key not in nodes:
            node = orm.CalcJobNode(computer=cluster, process_type="aiida.calculations:rewire.md")
            node.set_option("output_filename", LOG)
            inputs: dict[str, orm.Data] = {"parameters": orm.Dict(parameters), "structure": structure}
            if parent is not None:
                inputs["parent_results"] = orm.Dict(parent)
            for label, data in inputs.items():
                node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
            nodes[key] = node.store()
        return nodes[key]

    def factory(files: Files, parameters: dict[str, Any] = DRIVER, parent: dict[str, Any] | None = None) -> Parsed:
        parser = OfFiles(node_of(parameters, parent))
        parser.retrieved = orm.FolderData()
        for name, content in files.items():
            parser.retrieved.base.repository.put_object_from_bytes(content, name)
        code = parser.parse()
        return Parsed(dict(parser.outputs), labels[code.status] if code else "", code.message if code else "")

    return factory


def run_of(fixtures: Path, name: str) -> Files:
    ends = {LOG: ".log", GZ: ".lammpstrj.gz", PLAIN: ".lammpstrj", CSV: ".csv"}
    paths = {file: fixtures / "md" / (name + end) for file, end in ends.items()}
    return {file: path.read_bytes() for file, path in paths.items() if path.is_file()}


@pytest.fixture
def driven(fixtures: Path) -> Files:
    """What a run of the driver left."""
    return run_of(fixtures, "two-blocks")


@pytest.fixture
def unbiased(fixtures: Path) -> Files:
    """What a run of LAMMPS alone left, killed before it compressed its frames."""
    return run_of(fixtures, "unbiased")


def test_a_run_that_ended_well_gives_its_results(ended: Callable[..., Any], driven: Files) -> None:
    parsed = ended(driven)
    assert parsed.exit_code == ""
    results = parsed.outputs["results"].get_dict()
    assert results["lammps_version"] == "22 Jul 2025 - Update 4"
    assert results["complete"] is True
    assert (results["frames"], results["first_step"], results["last_step"]) == (5, 0, 40)
    assert (results["checkpoint_file"], results["dump_file"]) == ("checkpoint.1.restart", GZ)
    assert results["temperature_k"] == pytest.approx(718.37156)
    # 28 atoms of silver, most at the surface
    assert -68 < results["potential_energy_kcal_mol"] / 28 < -40
    assert results["anode_charge_e"] == pytest.approx(-results["cathode_charge_e"], abs=1e-3)
    assert results["anode_charge_e"] > 0.1
    assert results["wall_time_s"] > 0
    assert results["mpi_ranks"] == 1


def test_the_engine_stores_what_the_parser_gives(
    parse: Callable[..., Any], structure: orm.StructureData, driven: Files
) -> None:
    parsed = parse("rewire.md", LOG, {"parameters": orm.Dict(DRIVER), "structure": structure}, driven)
    assert parsed.exit_code == ""
    assert set(parsed.outputs) == {"results", "bias"}


def test_the_series_of_the_bias_is_stored(ended: Callable[..., Any], driven: Files) -> None:
    bias = ended(driven).outputs["bias"]
    expected = read_series(driven[CSV].decode().splitlines(), 40)
    assert sorted(bias.get_arraynames()) == ["anode_flux", "cathode_flux", "step", "voltage_v"]
    for name, values in expected.items():
        assert bias.get_array(name).tolist() == values.tolist()


def test_a_run_of_lammps_alone_has_no_series(ended: Callable[..., Any], unbiased: Files) -> None:
    for files in (unbiased, {LOG: unbiased[LOG], GZ: gzip.compress(unbiased[PLAIN])}):
        parsed = ended(files, NONE)
        assert parsed.exit_code == ""
        assert list(parsed.outputs) == ["results"]
        results = parsed.outputs["results"].get_dict()
        assert results["dump_file"] in files
        assert (results["frames"], results["anode_charge_e"]) == (5, None)


def test_frames_that_were_being_compressed_are_read_from_the_file_that_is_whole(
    ended: Callable[..., Any], unbiased: Files
) -> None:
    parsed = ended({**unbiased, GZ: gzip.compress(unbiased[PLAIN])[:300]}, NONE)
    assert parsed.exit_code == ""
    assert parsed.outputs["results"]["dump_file"] == PLAIN


def test_the_second_job_of_a_run_begins_behind_the_seam(ended: Callable[..., Any], fixtures: Path) -> None:
    parameters = {**DRIVER, "job_steps": 20}
    first = ended(run_of(fixtures, "first-job"), parameters)
    assert first.exit_code == "ERROR_UNFINISHED"
    assert "step 20 of 40" in first.message
    results = first.outputs["results"].get_dict()
    assert (results["complete"], results["first_step"], results["last_step"], results["frames"]) == (False, 0, 20, 3)
    second = ended(run_of(fixtures, "second-job"), parameters, results)
    assert second.exit_code == ""
    results = second.outputs["results"].get_dict()
    assert (results["complete"], results["first_step"], results["last_step"], results["frames"]) == (True, 20, 40, 2)
    assert second.outputs["bias"].get_array("step").tolist() == [30, 40]


def test_a_job_after_a_complete_run_begins_at_zero(ended: Callable[..., Any], driven: Files) -> None:
    parent = {"complete": True, "last_step": 1000, "checkpoint_file": "checkpoint.1.restart"}
    parsed = ended(driven, DRIVER, parent)
    assert parsed.exit_code == ""
    assert parsed.outputs["results"]["first_step"] == 0


@pytest.mark.parametrize(("name", "parameters"), [("killed", DRIVER), ("unbiased-killed", NONE)])
def test_a_killed_job_counts_up_to_its_checkpoint(
    ended: Callable[..., Any], fixtures: Path, name: str, parameters: dict[str, Any]
) -> None:
    files = run_of(fixtures, name)
    parsed = ended(files, {**parameters, **LONG})
    assert parsed.exit_code == "ERROR_UNFINISHED"
    assert "step 2000 of 6000" in parsed.message
    results = parsed.outputs["results"].get_dict()
    assert (results["complete"], results["last_step"], results["frames"]) == (False, 2000, 5)
    assert results["checkpoint_file"] == "checkpoint.0.restart"
    # of step 2000, not of the last row
    assert results["temperature_k"] == {"killed": 483.26446, "unbiased-killed": 477.04012}[name]
    assert ("bias" in parsed.outputs) == (name == "killed")


@pytest.mark.parametrize("lost", [20, 500])
def test_what_a_killed_job_was_writing_does_not_matter(ended: Callable[..., Any], fixtures: Path, lost: int) -> None:
    files = run_of(fixtures, "unbiased-killed")
    assert ended({**files, PLAIN: files[PLAIN][:-lost]}, {**NONE, **LONG}).exit_code == "ERROR_UNFINISHED"
    files = run_of(fixtures, "killed")
    files[GZ] += gzip.compress(gzip.decompress(files[GZ]))[:-lost]
    files[CSV] += b"2500,8.0,0.0,-0.0\n3000,8."
    parsed = ended(files, {**DRIVER, **LONG})
    assert parsed.exit_code == "ERROR_UNFINISHED"
    assert parsed.outputs["results"]["frames"] == 5
    assert parsed.outputs["bias"].get_array("step").tolist() == [0, 500, 1000, 1500, 2000]


def test_a_job_killed_behind_its_last_checkpoint_is_complete(ended: Callable[..., Any], driven: Files) -> None:
    log = driven[LOG][: driven[LOG].index(b'print "rewire: run complete"')]
    parsed = ended({**driven, LOG: log})
    assert parsed.exit_code == ""
    assert parsed.outputs["results"]["complete"] is True


def test_a_job_without_log(ended: Callable[..., Any], driven: Files) -> None:
    for files in ({}, {GZ: driven[GZ]}):
        parsed = ended(files)
        assert (parsed.exit_code, parsed.outputs) == ("ERROR_LOG_MISSING", {})


@pytest.mark.parametrize("name", ["empty", "before the first block ended", "garbage", "binary"])
def test_a_log_without_a_checkpoint_has_nothing_to_go_on_from(
    ended: Callable[..., Any], driven: Files, name: str
) -> None:
    contents = {
        "empty": b"",
        "before the first block ended": driven[LOG][: driven[LOG].index(b"Loop time")],
        "garbage": b"Segmentation fault\n",
        "binary": bytes(range(256)) * 40,
    }
    parsed = ended({**driven, LOG: contents[name]})
    assert (parsed.exit_code, parsed.outputs) == ("ERROR_NO_CHECKPOINT", {})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"rewire: checkpoint 40 checkpoint.1", b"rewire: checkpoint 30 checkpoint.1"),
        (b"rewire: checkpoint 40 checkpoint.1", b"rewire: checkpoint 40 checkpoint.0"),
        (b"rewire: checkpoint 20 checkpoint.0", b"rewire: checkpoint 21 checkpoint.0"),
        (b"rewire: checkpoint 20 checkpoint.0", b"rewire; checkpoint 20 checkpoint.0"),
        (b"rewire: checkpoint 40 checkpoint.1", b"rewire: checkpoint 60 checkpoint.1"),
    ],
)
def test_checkpoints_that_the_run_does_not_make_are_not_gone_on_from(
    ended: Callable[..., Any], driven: Files, old: bytes, new: bytes
) -> None:
    parsed = ended({**driven, LOG: driven[LOG].replace(b"\n" + old, b"\n" + new)})
    assert (parsed.exit_code, parsed.outputs) == ("ERROR_NO_CHECKPOINT", {})


def test_what_the_job_said_last_is_the_reason(
    ended: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, driven: Files
) -> None:
    said = b"some warning\nrewire: LAMMPS's Python module cannot be imported by {python}: no LAMMPS here\n\n  \n"
    assert "it said nothing" in ended({}).message
    get_option = orm.CalcJobNode.get_option

    def with_stderr(node: orm.CalcJobNode, name: str) -> Any:
        return STDERR if name == "scheduler_stderr" else get_option(node, name)

    monkeypatch.setattr(orm.CalcJobNode, "get_option", with_stderr)
    missing = ended({STDERR: said})
    assert missing.exit_code == "ERROR_LOG_MISSING"
    assert "cannot be imported by {python}: no LAMMPS here" in missing.message
    assert "cannot be imported" in ended({STDERR: said, LOG: b"LAMMPS (1 Jan 2025)\n"}).message


def test_lost_atoms_and_other_errors_end_with_their_own_code(ended: Callable[..., Any], fixtures: Path) -> None:
    # although there is a checkpoint, and frames
    lost = ended(run_of(fixtures, "lost-atoms"), {**NONE, "steps": 800, "checkpoint_interval": 100})
    assert (lost.exit_code, lost.outputs) == ("ERROR_LOST_ATOMS", {})
    assert "Lost atoms: original 28 current 26" in lost.message
    other = ended(run_of(fixtures, "no-force-field"))
    assert (other.exit_code, other.outputs) == ("ERROR_LAMMPS", {})
    assert "ffield.reax cannot be opened" in other.message


def test_charges_that_did_not_converge_are_no_result(
    ended: Callable[..., Any], fixtures: Path, driven: Files
) -> None:
    log = (fixtures / "md" / "unconverged.log").read_bytes()
    parsed = ended({**driven, LOG: log})
    assert (parsed.exit_code, parsed.outputs) == ("ERROR_CHARGES_NOT_CONVERGED", {})
    assert "at 22 steps, first: WARNING: Fix qeq/reaxff CG convergence failed after 3 iterations" in parsed.message


TEMPERATURES = [b"1600.0", b"99999.9", b"1e12", b"nan", b"inf", b"-nan"]


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("row", [b"814.49882", b"793.76186", b"718.37156"])
def test_dynamics_that_blew_up_on_the_way_is_no_result(
    ended: Callable[..., Any], driven: Files, row: bytes, temperature: bytes
) -> None:
    # within the first block, at the checkpoint, and at the end, with all else well
    assert row in driven[LOG]
    parsed = ended({**driven, LOG: driven[LOG].replace(row, temperature, 1)})
    assert (parsed.exit_code, parsed.outputs) == ("ERROR_TEMPERATURE", {})
    assert "800.0 K asked for" in parsed.message


def test_dynamics_that_blew_up_in_a_job_that_was_killed_is_not_gone_on_from(
    ended: Callable[..., Any], fixtures: Path
) -> None:
    files = run_of(fixtures, "killed")
    files[LOG] = files[LOG].replace(b"1205.3913", b"1705.3913")
    assert ended(files, {**DRIVER, **LONG}).exit_code == "ERROR_TEMPERATURE"


def test_conditions_left_to_their_defaults_are_judged_by_them(ended: Callable[..., Any], driven: Files) -> None:
    hot = {**driven, LOG: driven[LOG].replace(b"718.37156", b"1500.0")}
    assert ended(hot).exit_code == ""
    assert ended(hot, {**DRIVER, "temperature_k": 700}).exit_code == "ERROR_TEMPERATURE"


def test_a_missing_dump_is_named(ended: Callable[..., Any], driven: Files, unbiased: Files) -> None:
    for files, parameters in ((driven, DRIVER), (unbiased, NONE)):
        parsed = ended({name: content for name, content in files.items() if name not in (GZ, PLAIN)}, parameters)
        assert (parsed.exit_code, parsed.outputs) == ("ERROR_DUMP_MISSING", {})
        assert PLAIN in parsed.message


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "name", ["empty", "cut off", "in the header", "garbage", "binary", "nan", "one too few", "twice", "other types"]
)
def test_frames_that_cannot_be_used_are_no_result(
    ended: Callable[..., Any], unbiased: Files, name: str, packed: bool
) -> None:
    dump = unbiased[PLAIN]
    second, third = (dump.index(f"ITEM: TIMESTEP\n{step}\n".encode()) for step in (10, 20))
    contents = {
        "empty": b"",
        "cut off": dump[: len(dump) * 3 // 4],
        "in the header": dump[:60],
        "garbage": b"ITEM: TIMESTEP\nITEM: NUMBER OF ATOMS\n",
        "binary": bytes(range(256)) * 40,
        "nan": dump.replace(dump.splitlines()[-1].split()[3], b"nan"),
        "one too few": dump[:second] + dump[third:],
        "twice": dump[:third] + dump[second:],
        "other types": dump.replace(b"\n1 1 -2.89", b"\n1 2 -2.89"),
    }
    content = contents[name]
    files = {LOG: unbiased[LOG], **({GZ: gzip.compress(content)} if packed else {PLAIN: content})}
    parsed = ended(files, NONE)
    assert (parsed.exit_code, parsed.outputs) == ("ERROR_BROKEN_DUMP", {})
    assert parsed.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: None, "no file bias.csv"),
        (lambda text: b"", "its header is not"),
        (lambda text: text[5:], "its header is not"),
        (lambda text: text.replace(b"20,8.0,", b"20,x,"), "line 4"),
        (lambda text: text.replace(b"20,8.0,0.0,-0.0\n", b""), "its steps are not those of the run"),
        (lambda text: text[:-1], "its steps are not those of the run"),
        (lambda text: text[:-20], "its steps are not those of the run"),
        (lambda text: text.replace(b"\n0,", b"\n5,"), "its steps are not those of the run"),
        (lambda text: bytes(range(256)) * 3, "its header is not"),
    ],
)
def test_a_series_that_cannot_be_used_ends_with_its_own_code(
    ended: Callable[..., Any], driven: Files, change: Callable[[bytes], bytes | None], words: str
) -> None:
    content = change(driven.pop(CSV))
    parsed = ended(driven if content is None else {**driven, CSV: content})
    assert parsed.exit_code == "ERROR_BROKEN_BIAS_SERIES"
    assert words in parsed.message
    assert "bias" not in parsed.outputs


def test_the_series_is_expected_at_the_steps_of_the_driver(ended: Callable[..., Any], driven: Files) -> None:
    rows = [f"{step},8.0,0.0,0.0\n" for step in (0, 15, 30)]
    header = driven[CSV].splitlines(keepends=True)[0].decode()
    files = {**driven, CSV: (header + "".join(rows)).encode()}
    # frames every 10 steps, potentials every 15
    assert ended(files, {**DRIVER, "potential_interval": 15}).exit_code == ""
    assert ended(files, {**DRIVER, "potential_interval": 10}).exit_code == "ERROR_BROKEN_BIAS_SERIES"
    assert ended(driven, {**DRIVER, "potential": "diffusion", "potential_interval": 15}).exit_code == ""


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flipped(content: bytes, rng: random.Random) -> bytes:
    raw = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 50])):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def dropped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.randint(1, 400) :]


def inserted(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + rng.randbytes(rng.randint(1, 30)) + content[at:]


def doubled(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + content[max(0, at - rng.randint(1, 900)) :]


MUTATIONS = [cut, flipped, dropped, inserted, doubled]
PER_MUTATION = 3
STRUCTURAL = ("complete", "first_step", "last_step", "checkpoint_file", "dump_file", "frames")
"""Of the results, what no damage may change; digits of a log that nothing repeats can."""


def outcome(parsed: Any) -> dict[str, Any] | None:
    return parsed.outputs["results"].get_dict() if "results" in parsed.outputs else None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
@pytest.mark.parametrize(("name", "file"), [
    ("two-blocks", LOG), ("two-blocks", GZ), ("two-blocks", CSV), ("unbiased", PLAIN), ("unbiased-killed", PLAIN),
    ("unbiased-killed", LOG),
])  # fmt: skip
def test_damage_gives_an_exit_code_or_the_results_of_the_true_run(
    ended: Callable[..., Any], fixtures: Path, name: str, file: str, mutation: Callable[[bytes, random.Random], bytes]
) -> None:
    files = run_of(fixtures, name)
    parameters = {"two-blocks": DRIVER, "unbiased": NONE, "unbiased-killed": {**NONE, **LONG}}[name]
    whole = outcome(ended(files, parameters))
    assert whole is not None
    accepted_blocks = {20: (3, "checkpoint.0.restart"), 40: (5, "checkpoint.1.restart")}
    for seed in range(PER_MUTATION):
        rng = random.Random(f"{name} {file} {mutation.__name__} {seed}")  # noqa: S311
        parsed = ended({**files, file: mutation(files[file], rng)}, parameters)
        found = outcome(parsed)
        if found is None:
            assert parsed.exit_code, seed
            continue
        assert parsed.exit_code in ("", "ERROR_UNFINISHED", "ERROR_BROKEN_BIAS_SERIES"), seed
        assert found["complete"] == (found["last_step"] == parameters["steps"])
        if file == LOG and name == "two-blocks":
            # a log cut off behind the first block is that of a run killed there
            expected = accepted_blocks[found["last_step"]]
            assert (found["frames"], found["checkpoint_file"]) == expected, seed
        else:
            assert [found[key] for key in STRUCTURAL] == [whole[key] for key in STRUCTURAL], seed
        if file != LOG:
            assert found == whole, seed


def test_a_log_cut_anywhere_gives_a_prefix_of_the_run(ended: Callable[..., Any], driven: Files) -> None:
    log = driven[LOG]
    ends = [log.index(b"\nrewire: checkpoint %d " % step) + 43 for step in (20, 40)]
    for at in sorted({*range(0, len(log), 1601), *(end + by for end in ends for by in (-12, -1, 0, 1))}):
        parsed = ended({**driven, LOG: log[:at]})
        expected = ["ERROR_NO_CHECKPOINT", "ERROR_UNFINISHED", ""][sum(at >= end for end in ends)]
        assert parsed.exit_code == expected, (at, ends)
