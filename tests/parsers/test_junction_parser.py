"""How the one job of a junction ends: on a recorded one, whole and with faults of each of its programs.

The recorded job: a wire of three atoms, the third 3.6 Å from the second, in a box of 4 Å; frozen-d pseudopotential,
4 Ry, two lateral k-points, each in a shard of its own.
"""

import gzip
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida_pseudo.data.pseudo import UpfData
from fatal_errors import FATAL

from aiida_rewire.calculations.junction import MISSING_FILE
from aiida_rewire.calculations.pwcond import FATAL_EXIT_CODES
from aiida_rewire.transport.readback import read_charge_density

Ended = Callable[..., Any]
BOX, SPACING = 4.0, 2.8
HEIGHTS, LENGTH = (0.0, 2.8, 6.4), 9.2
TRANSMISSIONS = (1.5170977 / 2, 1.4430996 / 2)
"""As printed for both spins."""

WEIGHTS = (0.25, 0.75)
LEAD_POTENTIAL_EV, MISMATCH_EV = -4.3839228603085, 0.087855957529766

RETRIEVED = {
    "aiida.out": "aiida.out",
    "data-file-schema.xml": "junction.xml",
    "density.out": "density.out",
    "potential.out": "potential.out",
    "pwcond.out": "pwcond.out",
    "pwcond.1.out": "pwcond.1.out",
}
TEMPORARY = ("charge-density.dat", "density.grid", "potential.grid")
FILES = (*RETRIEVED, *TEMPORARY)


@pytest.fixture(scope="module")
def recorded(fixtures: Path) -> dict[str, bytes]:
    """What the job left, by file name."""
    folder = fixtures / "junction"
    kept = {name: (folder / source).read_bytes() for name, source in RETRIEVED.items()}
    return kept | {name: gzip.decompress((folder / f"{name}.gz").read_bytes()) for name in TEMPORARY}


@pytest.fixture(scope="module")
def lead_xml(fixtures: Path) -> bytes:
    """What pw.x wrote of the lead."""
    return (fixtures / "junction" / "lead.xml").read_bytes()


@pytest.fixture(scope="module")
def wire(
    finished_pw: Callable[..., orm.RemoteData],
    upf: Callable[..., UpfData],
    silver: Callable[..., orm.StructureData],
    lead_xml: bytes,
) -> dict[str, orm.Data]:
    """Inputs of the job."""
    pseudo = upf(1)
    lead_cell = np.diag([BOX, BOX, SPACING])
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], weights=list(WEIGHTS))
    files = {"data-file-schema.xml": lead_xml}
    return {
        "structure": silver(np.diag([BOX, BOX, LENGTH]), np.array([[0.0, 0.0, z] for z in HEIGHTS])),
        "pseudos__Ag": pseudo,
        "left_lead": finished_pw(lead_cell, np.zeros((1, 3)), pseudos={"Ag": pseudo}, files=files),
        "lead_readback": orm.Dict({"layer_potential_ev": [LEAD_POTENTIAL_EV] * 2}),
        "pwcond__kpoints": kpoints,
        "pwcond__energies": orm.List([0.0]),
        "pwcond__unitarity_tolerance": orm.Float(1e-3),
        "potential_tolerance": orm.Float(1.0),
        "labels": orm.Dict({"campaign": "wires"}),
    }


@pytest.fixture
def ended(parse: Ended, wire: dict[str, orm.Data], recorded: dict[str, bytes], tmp_path: Path) -> Ended:
    """Parse what the job left, some of its files replaced; None leaves one out."""

    def factory(files: Mapping[str, bytes | None] | None = None, shards: int = 2, **inputs: orm.Data) -> Any:
        left = {name: content for name, content in {**recorded, **(files or {})}.items() if content is not None}
        folder = tmp_path / "temporary"
        folder.mkdir(exist_ok=True)
        for name in TEMPORARY:
            (folder / name).unlink(missing_ok=True)
            if name in left:
                (folder / name).write_bytes(left[name])
        kept = {name: left[name] for name in (*RETRIEVED, MISSING_FILE) if name in left}
        return parse("rewire.junction", "aiida.out", {**wire, **inputs}, kept, folder, shards=shards)

    return factory


def refused(parsed: Any, exit_code: str, *words: str) -> None:
    """Check that there is an exit code and no conductance."""
    assert parsed.exit_code == exit_code
    assert "conductance" not in parsed.outputs
    assert all(word in parsed.message for word in words), parsed.message


def edited(content: bytes, *changes: tuple[str, str]) -> bytes:
    """Replace text that is there."""
    text = content.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def test_a_good_job_gives_the_conductance_and_what_it_took(ended: Ended) -> None:
    parsed = ended()
    assert (parsed.exit_code, set(parsed.outputs)) == ("", {"conductance", "results"})
    conductance = parsed.outputs["conductance"]
    assert conductance.conductance_g0 == pytest.approx(np.dot(WEIGHTS, TRANSMISSIONS), abs=1e-12)
    assert conductance.transmission_k.tolist() == [[pytest.approx(t, abs=1e-12) for t in TRANSMISSIONS]]
    assert conductance.kpoints.tolist() == [[0.1, 0.2], [0.3, 0.1]]
    assert (conductance.energies.tolist(), conductance.channels.tolist()) == ([0.0], [[1, 1]])
    assert (conductance.numerics.tolist(), conductance.eigenchannels.shape) == ([[0, 0]], (1, 2, 1))
    attributes = conductance.base.attributes.all
    assert attributes["potential_mismatch_ev"] == pytest.approx(MISMATCH_EV, abs=1e-9)
    assert (attributes["campaign"], attributes["ladder"]) == ("wires", [{}])
    # of a wire that was made of no snapshot
    assert not {"snapshot", "time_ps", "fingerprint"} & set(attributes)
    conductance.store()


def test_what_the_programs_say_of_themselves_is_kept(ended: Ended, recorded: dict[str, bytes]) -> None:
    found = ended().outputs["results"].get_dict()
    timings = found.pop("pwcond_timings")
    assert timings["init"] == pytest.approx(0.80 + 0.76)
    walls = [
        float(x) for x in re.findall(rb"PWCOND .* ([\d.]+)s WALL", recorded["pwcond.out"] + recorded["pwcond.1.out"])
    ]
    plots = [
        float(x)
        for x in re.findall(rb"POST-PROC .* ([\d.]+)s WALL", recorded["density.out"] + recorded["potential.out"])
    ]
    assert (len(walls), len(plots)) == (2, 2)
    potential = found.pop("layer_potential_ev")
    # the wire is its own mirror image, between two atoms
    assert potential[0] == pytest.approx(potential[1], abs=1e-9)
    assert potential[0] - LEAD_POTENTIAL_EV == pytest.approx(-MISMATCH_EV, abs=1e-9)
    assert 0 < found.pop("readback_difference") < 1e-9
    assert found == {
        "ranks": 1,
        "scf_iterations": 10,
        "scf_wall_s": pytest.approx(0.3679, abs=1e-4),
        "fermi_energy_ev": pytest.approx(-4.4770, abs=1e-4),
        "readback_wall_s": pytest.approx(sum(plots)),
        "pwcond_version": "6.7MaX",
        "pwcond_shards": 2,
        "pwcond_pairs": 2,
        "pwcond_unitarity_max": 0.0,
        "pwcond_wall_s": max(walls),
        "pwcond_core_s": pytest.approx(sum(walls)),
    }


def test_a_snapshot_labels_its_conductance(ended: Ended) -> None:
    labels = {"snapshot": 1, "time_ps": 0.7, "stage": "rupture", "fingerprint": "a key"}
    assembly = orm.Dict({"atoms_left_out": 6, "labels": labels})
    attributes = ended(labels=orm.Dict({"seed": 3}), assembly=assembly).outputs["conductance"].base.attributes.all
    assert {name: attributes[name] for name in ("seed", *labels)} == {"seed": 3, **labels}


def test_a_job_that_never_came_to_pw_x(ended: Ended) -> None:
    parsed = ended(dict.fromkeys(FILES))
    refused(parsed, "ERROR_OUTPUT_MISSING")
    assert parsed.outputs == {}


def test_a_job_whose_lead_is_gone_from_the_scratch(ended: Ended) -> None:
    parsed = ended(dict.fromkeys(FILES) | {MISSING_FILE: b"charge-density.dat\ndata-file-schema.xml\n"})
    refused(parsed, "ERROR_PARENT_FILES", "charge-density.dat, data-file-schema.xml of the lead, in <")
    assert parsed.outputs == {}


@pytest.mark.parametrize("output", [b"", b"\n \n"])
def test_an_scf_that_was_killed_before_its_first_word(ended: Ended, output: bytes) -> None:
    refused(ended(dict.fromkeys(FILES) | {"aiida.out": output}), "ERROR_SCF_INCOMPLETE", "it printed nothing")


def test_an_scf_that_was_killed_says_its_last_words(ended: Ended, recorded: dict[str, bytes]) -> None:
    error = b"\n %%%%\n     Error in routine electrons (1):\n     charge is wrong\n %%%%\n\n     stopping ...\n"
    begun = recorded["aiida.out"][:5000]
    parsed = ended(dict.fromkeys(FILES) | {"aiida.out": begun + error})
    refused(parsed, "ERROR_SCF_INCOMPLETE", "Error in routine electrons (1):; charge is wrong; stopping ...")
    assert parsed.outputs == {}


@pytest.mark.parametrize("part", [0.0, 0.1, 0.9, 0.999])
def test_an_xml_file_that_is_cut_off_is_no_scf(ended: Ended, recorded: dict[str, bytes], part: float) -> None:
    xml = recorded["data-file-schema.xml"]
    refused(
        ended({"data-file-schema.xml": xml[: int(part * len(xml))]}), "ERROR_SCF_INCOMPLETE", "data-file-schema.xml"
    )


def test_the_xml_file_of_other_atoms_is_none(
    ended: Ended, wire: dict[str, orm.Data], silver: Callable[..., orm.StructureData], lead_xml: bytes
) -> None:
    # a warm start that pw.x did not come beyond
    moved = silver(np.diag([BOX, BOX, LENGTH]), np.array([[0.0, 0.0, z] for z in (0.0, 2.801, 6.4)]))
    refused(ended(structure=moved), "ERROR_SCF_INCOMPLETE", "of other atoms")
    refused(ended({"data-file-schema.xml": lead_xml}), "ERROR_SCF_INCOMPLETE", "of other atoms")


def test_an_scf_that_did_not_converge(ended: Ended, recorded: dict[str, bytes]) -> None:
    achieved = ("<convergence_achieved>true<", "<convergence_achieved>false<")
    xml = edited(recorded["data-file-schema.xml"], achieved)
    refused(ended({"data-file-schema.xml": xml}), "ERROR_SCF_NOT_CONVERGED", "in 10 iterations")


@pytest.mark.parametrize("plot", ["density", "potential"])
def test_an_error_of_pp_is_passed_on(ended: Ended, plot: str) -> None:
    error = b" %%%\n     Error in routine read_rhog (1):\n     error reading file ./out/aiida.save/charge-density\n"
    parsed = ended({f"{plot}.out": error})
    refused(parsed, "ERROR_READBACK", "read_rhog (1): error reading file ./out/aiida.save/charge-density")
    # how the SCF went is known all the same
    assert parsed.outputs["results"]["scf_iterations"] == 10
    assert "readback_difference" not in parsed.outputs["results"].get_dict()


@pytest.mark.parametrize("name", TEMPORARY)
def test_without_grids_or_density_nothing_is_read_back(ended: Ended, name: str) -> None:
    refused(ended({name: None}), "ERROR_READBACK", name)


@pytest.mark.parametrize("name", TEMPORARY)
@pytest.mark.parametrize("part", [0.5, 0.999])
def test_grids_and_density_that_are_cut_off_are_not_read(
    ended: Ended, recorded: dict[str, bytes], name: str, part: float
) -> None:
    content = recorded[name]
    refused(ended({name: content[: int(part * len(content))]}), "ERROR_READBACK", name)


def test_a_density_in_another_order_is_refused(ended: Ended, recorded: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "charge-density.dat"
    path.write_bytes(recorded["charge-density.dat"])
    waves = len(read_charge_density(path).miller)
    content = recorded["charge-density.dat"]
    begin = len(content) - 4 - 16 * waves
    coefficients = np.frombuffer(content[begin:-4], "<c16").copy()
    one, other = 1, int(np.argmin(np.abs(coefficients)))
    coefficients[[one, other]] = coefficients[[other, one]]
    parsed = ended({"charge-density.dat": content[:begin] + coefficients.tobytes() + content[-4:]})
    refused(parsed, "ERROR_SCRAMBLED_DENSITY", "above 1e-06")
    assert parsed.outputs["results"]["readback_difference"] > 1e-4


def test_potentials_that_differ_by_more_than_is_tolerated_are_not_joined(ended: Ended) -> None:
    parsed = ended(potential_tolerance=orm.Float(0.087))
    refused(parsed, "ERROR_POTENTIAL_MISMATCH", "differ by 0.088 eV", "above 0.087 eV")
    assert parsed.outputs["results"]["readback_difference"] < 1e-9
    assert ended(potential_tolerance=orm.Float(0.088)).exit_code == ""
    # at either end
    for ends in ([LEAD_POTENTIAL_EV + 1, LEAD_POTENTIAL_EV], [LEAD_POTENTIAL_EV, LEAD_POTENTIAL_EV + 1]):
        parsed = ended(lead_readback=orm.Dict({"layer_potential_ev": ends}))
        refused(parsed, "ERROR_POTENTIAL_MISMATCH", "differ by 1.088 eV")


def test_grids_of_lead_and_junction_that_differ_are_not_joined(
    ended: Ended, wire: dict[str, orm.Data], finished_pw: Callable[..., orm.RemoteData], lead_xml: bytes
) -> None:
    for kind in ("fft_grid", "fft_smooth"):
        xml = re.sub(rb'(<%s nr1=)"\d+"' % kind.encode(), rb'\1"12"', lead_xml)
        assert xml != lead_xml
        lead = finished_pw(
            np.diag([BOX, BOX, SPACING]),
            np.zeros((1, 3)),
            pseudos={"Ag": wire["pseudos__Ag"]},
            files={"data-file-schema.xml": xml},
        )
        refused(ended(left_lead=lead), "ERROR_GUARD", "fft_grid = 9 x 9: must be laterally that of left_lead, 12 x 9")


@pytest.mark.parametrize(
    ("pseudo", "words"),
    [
        ({"kind": "PAW"}, "PAW for Ag: must be norm-conserving or ultrasoft"),
        ({"kind": "NEW"}, "a pseudopotential of type NEW for Ag"),
        ({"valence": 11}, "another pseudopotential of Ag: must be those of left_lead"),
    ],
)
def test_pseudopotentials_that_pwcond_cannot_join_are_refused(
    ended: Ended, upf: Callable[..., UpfData], pseudo: dict[str, Any], words: str
) -> None:
    refused(ended(pseudos__Ag=upf(**pseudo)), "ERROR_GUARD", words)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (1.0, 0.5, "it has no end, 1 of 2 runs"),
        (0.3, 1.0, "it has no end, 1 of 2 runs"),
        (0.5, 0.0, "it has no end, 2 of 2 runs"),
        (0.0, 0.0, "it left no output"),
    ],
)
def test_runs_of_pwcond_that_were_cut_off_are_incomplete(
    ended: Ended, recorded: dict[str, bytes], first: float, second: float, words: str
) -> None:
    contents = (recorded["pwcond.out"], recorded["pwcond.1.out"])
    parts = [content[: int(part * len(content))] for content, part in zip(contents, (first, second), strict=True)]
    parsed = ended({"pwcond.out": parts[0], "pwcond.1.out": parts[1] or None})
    refused(parsed, "ERROR_INCOMPLETE", words)
    assert parsed.outputs["results"]["scf_iterations"] == 10


@pytest.mark.parametrize("name", {label: name for name, label in FATAL.items()}.values())
def test_a_fatal_error_of_pwcond_ends_with_the_code_of_its_kind(ended: Ended, fixtures: Path, name: str) -> None:
    output = (fixtures / "pwcond" / "fatal" / f"{name}.out").read_bytes()
    refused(ended({"pwcond.1.out": output}), FATAL[name])


def test_the_gravest_of_two_errors_counts(ended: Ended, fixtures: Path) -> None:
    errors = {name: (fixtures / "pwcond" / "fatal" / f"{name}.out").read_bytes() for name in FATAL}
    statuses = {label: status for status, label, _ in FATAL_EXIT_CODES.values()}
    assert statuses[FATAL["hermitian-eigenproblem"]] > statuses[FATAL["cutoffs"]]
    parsed = ended({"pwcond.out": errors["hermitian-eigenproblem"], "pwcond.1.out": errors["cutoffs"]})
    refused(parsed, FATAL["cutoffs"])


GATES = {
    # T_j + R_j = 0.99
    "ERROR_UNITARITY": [("0.75855     0.24145", "0.75855     0.23145"), ("0.75855  0.24145", "0.75855  0.23145")],
    "ERROR_TOO_MUCH_TRANSMISSION": [("1.5170977", "2.5170977")],
    "ERROR_NOT_FINITE": [("1.5170977", "      NaN")],
    "ERROR_INCONSISTENT": [("1.5170977", "1.5160977")],
}


@pytest.mark.parametrize("exit_code", GATES)
def test_a_transmission_that_a_gate_refuses(ended: Ended, recorded: dict[str, bytes], exit_code: str) -> None:
    parsed = ended({"pwcond.out": edited(recorded["pwcond.out"], *GATES[exit_code])})
    refused(parsed, exit_code, "No transmission stored")
    assert "pwcond_pairs" not in parsed.outputs["results"].get_dict()


def test_the_tolerance_of_unitarity_is_that_of_the_inputs(ended: Ended, recorded: dict[str, bytes]) -> None:
    output = edited(recorded["pwcond.out"], *GATES["ERROR_UNITARITY"])
    parsed = ended({"pwcond.out": output}, pwcond__unitarity_tolerance=orm.Float(0.011))
    assert parsed.exit_code == ""
    assert parsed.outputs["conductance"].base.attributes.get("unitarity_max") == pytest.approx(0.01, abs=1e-9)


def test_a_k_point_that_is_missing_or_there_twice_is_no_conductance(ended: Ended, recorded: dict[str, bytes]) -> None:
    # one run, which should have computed both
    refused(ended(shards=1), "ERROR_MISSING", "1 of 2 (energy, k) pairs are missing")
    refused(ended({"pwcond.1.out": recorded["pwcond.out"]}), "ERROR_INCONSISTENT", "was not asked for")


def test_a_grid_that_is_not_that_of_the_outputs(ended: Ended) -> None:
    refused(ended(pwcond__energies=orm.List([0.0, -0.1])), "ERROR_MISSING")
    kpoints = orm.KpointsData()
    kpoints.set_kpoints([[0.1, 0.2, 0.0], [0.3, 0.1, 0.0]], weights=[0.5, 0.5])
    refused(ended(pwcond__kpoints=kpoints), "ERROR_INCONSISTENT")


@pytest.mark.parametrize("name", FILES)
def test_damage_of_any_file_gives_the_same_conductance_or_none(
    ended: Ended, recorded: dict[str, bytes], name: str
) -> None:
    chance = random.Random(f"junction {name}")  # noqa: S311
    content = recorded[name]
    noise = chance.randbytes(len(content))
    middle = chance.randrange(len(content))
    flipped = bytearray(content)
    for place in chance.sample(range(len(content)), 8):
        flipped[place] ^= 1 << chance.randrange(8)
    for damaged in (noise, content[:middle] + noise[middle:], bytes(len(content)), bytes(flipped)):
        parsed = ended({name: damaged})
        found = parsed.outputs.get("conductance")
        assert (found is None) == bool(parsed.exit_code)
        assert found is None or found.conductance_g0 == pytest.approx(np.dot(WEIGHTS, TRANSMISSIONS), abs=1e-7)
        assert parsed.message.isprintable()
        for output in parsed.outputs.values():
            output.store()


def test_messages_can_be_stored_whatever_the_files_say(ended: Ended) -> None:
    left = dict.fromkeys(FILES)
    parsed = ended({**left, "aiida.out": b"\x00\x1b[31m\xff" + 5000 * b"x"})
    refused(parsed, "ERROR_SCF_INCOMPLETE", "xxx ...")
    assert parsed.message.isprintable()
    assert len(parsed.message) < 1200
