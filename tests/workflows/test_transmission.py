"""From structures to the inputs of every step; nothing is run here."""

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessState
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import WorkflowFactory
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.workflows.filling import fill_scf
from aiida_rewire.workflows.protocols import load_protocol, protocol_names
from aiida_rewire.workflows.pw import ExactPwBaseWorkChain, find_scf, for_region
from aiida_rewire.workflows.snapshot import SnapshotConductanceWorkChain
from aiida_rewire.workflows.transmission import TransmissionWorkChain
from parent_runs import structure_of

LATTICES = count()

Cell = tuple[np.ndarray, np.ndarray]
Codes = Mapping[str, orm.InstalledCode]


@pytest.fixture
def builder(codes: Codes, upf: Callable[..., UpfData], lead_cell: Cell, dimer_cell: Cell) -> Callable[..., Any]:
    """Fill a builder for a dimer between leads."""

    def factory(*regions: orm.StructureData, **arguments: Any) -> Any:
        given = regions or (structure_of(*lead_cell), structure_of(*dimer_cell))
        return TransmissionWorkChain.get_builder_from_protocol(
            codes, {"Ag": upf(), "Au": upf(element="Au")}, *given, **{"protocol": "demo", **arguments}
        )

    return factory


def begin(builder: Any) -> TransmissionWorkChain:
    """Validate the inputs as a submission does."""
    return instantiate_process(get_manager().get_runner(), builder)


def as_dense(mesh: list[int], distance: float) -> bool:
    """Whether no step of a lateral mesh is longer than this (1/Å), and one point fewer would make it so."""
    # of a 2 x 2 fcc(111) layer: |b| = 2 pi / (a / sqrt(2) * 2 * sin 60°)
    length = 2 * np.pi / (4.16 * np.sqrt(2) * np.sqrt(3) / 2)
    return mesh[0] == mesh[1] and mesh[2] == 1 and length / mesh[0] <= distance < length / (mesh[0] - 1)


@pytest.mark.parametrize("name", protocol_names("transmission"))
def test_every_protocol_fills_a_chain_that_can_begin(builder: Callable[..., Any], codes: Codes, name: str) -> None:
    values = load_protocol(name, {}, workflow="transmission")
    chain = begin(builder(protocol=name, labels={"campaign": "c"}))
    assert isinstance(chain, WorkflowFactory("rewire.transmission"))
    assert chain.inputs.labels.get_dict() == {"protocol": name, "campaign": "c"}
    pwcond = chain.inputs.pwcond
    assert pwcond.max_shards.value == values["pwcond"]["max_shards"]
    assert pwcond.shards_per_job.value == values["pwcond"]["shards_per_job"]
    assert pwcond.pwcond.parameters.get_dict() == values["pwcond"]["parameters"]
    assert pwcond.pwcond.unitarity_tolerance.value == values["pwcond"]["unitarity_tolerance"]
    assert 0.0 in pwcond.pwcond.energies.get_list()
    asked, given = values["pwcond"]["kpoints"], pwcond.pwcond.kpoints
    if "list" in asked:
        points, weights = given.get_kpoints(also_weights=True)
        assert np.column_stack([points[:, :2], weights]).tolist() == asked["list"]
    else:
        mesh, _ = given.get_kpoints_mesh()
        assert mesh == [*asked["mesh"], 1] if "mesh" in asked else as_dense(mesh, asked["distance"])
    for namespace, region in (("lead_scf", "lead"), ("scf", "scf")):
        scf = chain.inputs[namespace]
        if values[region]["kpoints_mesh"] is not None:
            assert scf.kpoints.get_kpoints_mesh()[0] == values[region]["kpoints_mesh"]
        else:
            assert scf.kpoints_distance.value == values[region]["kpoints_distance"]
        assert scf.pw.parameters.get_dict() == values[region]["parameters"]
        assert set(scf.pw.pseudos) == {"Ag"}
        assert scf.pw.code.uuid == codes["pw"].uuid
    assert chain.inputs.readback.code.uuid == codes["pp"].uuid
    assert pwcond.pwcond.code.uuid == codes["pwcond"].uuid
    assert chain.inputs.reuse_leads.value
    assert not chain.inputs.clean_workdir.value


def test_the_protocol_that_is_taken_by_default_is_there() -> None:
    default = TransmissionWorkChain.get_builder_from_protocol.__kwdefaults__["protocol"]
    assert default in protocol_names("transmission")


def test_a_mesh_and_a_range_reach_the_inputs(builder: Callable[..., Any]) -> None:
    overrides = {
        "pwcond": {
            "kpoints": {"mesh": [4, 4], "offset": [0.5, 0.5]},
            "energies": {"start": -0.2, "stop": 0.2, "step": 0.1},
            "max_shards": 6,
            "shards_per_job": 2,
        }
    }
    inputs = begin(builder(overrides=overrides)).inputs.pwcond
    assert inputs.pwcond.kpoints.get_kpoints_mesh() == ([4, 4, 1], [0.5, 0.5, 0.0])
    assert inputs.pwcond.energies.get_list() == [-0.2, -0.1, 0.0, 0.1, 0.2]
    assert (inputs.max_shards.value, inputs.shards_per_job.value) == (6, 2)


@pytest.mark.parametrize("kpoints", [{}, {"points": [[0.1, 0.2, 1.0]]}])
def test_k_points_in_another_form_are_refused_by_name(builder: Callable[..., Any], kpoints: Any) -> None:
    with pytest.raises(ValueError, match="kpoints"):
        builder(overrides={"pwcond": {"kpoints": kpoints}})


def test_structures_that_cannot_be_joined_are_refused_at_submission(
    builder: Callable[..., Any], lead_cell: Cell, dimer_cell: Cell, junction_cell: Cell
) -> None:
    lead = structure_of(*lead_cell)
    cell, positions = dimer_cell
    for junction, words in (
        (structure_of(cell, positions[[1, 0, *range(2, len(positions))]]), "in another order"),
        (structure_of(cell, positions, ["Au"] * 4 + ["Ag"] * (len(positions) - 4)), "of the lead's element there"),
        (structure_of(cell, positions + np.array([0.0, 0.0, 0.1])), "no atom at z = 0"),
    ):
        with pytest.raises(ValueError, match=words):
            begin(builder(lead, junction))
    # three layers of it are a lead; two are too few for the stacking to close
    short = structure_of(lead_cell[0] * [[1], [1], [2 / 3]], lead_cell[1][:8])
    with pytest.raises(ValueError, match="last layer that is not that of left_lead"):
        begin(builder(lead, short))


def test_a_region_is_a_structure_or_a_folder(
    builder: Callable[..., Any], finished_pw: Callable[..., orm.RemoteData], lead_cell: Cell
) -> None:
    filled = builder()
    filled.left_lead_folder = finished_pw(*lead_cell)
    with pytest.raises(ValueError, match="left_lead = a structure and a folder: must be left_lead or"):
        begin(filled)
    for region in ("left_lead", "junction"):
        filled = builder()
        del filled[region]
        with pytest.raises(ValueError, match=f"{region} = missing: must be given, or {region}_folder"):
            begin(filled)


@pytest.mark.parametrize("namespace", ["lead_scf", "scf"])
def test_a_structure_comes_with_the_inputs_of_its_scf(builder: Callable[..., Any], namespace: str) -> None:
    filled = builder()
    del filled[namespace]
    with pytest.raises(ValueError, match=namespace):
        begin(filled)


Begun = tuple[TransmissionWorkChain, dict[str, Any]]


@pytest.fixture
def scf_inputs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Begun]:
    """Begin a chain, and take the inputs of the SCF runs that it would submit."""

    def run(filled: Any) -> Begun:
        chain, found = begin(filled), {}

        def submit(process: Any, **inputs: Any) -> orm.WorkChainNode:
            instantiate_process(get_manager().get_runner(), process, **inputs)
            found[inputs["metadata"]["call_link_label"]] = inputs
            return orm.WorkChainNode()

        monkeypatch.setattr(chain, "submit", submit)
        chain.run_scf()
        return chain, found

    return run


def test_each_region_has_an_scf_with_the_same_lateral_grid(
    builder: Callable[..., Any], scf_inputs: Callable[[Any], Begun]
) -> None:
    _, found = scf_inputs(builder())
    assert set(found) == {"scf_left_lead", "scf_junction"}
    lead, junction = (found[f"scf_{region}"]["pw"] for region in ("left_lead", "junction"))
    systems = [pw["parameters"]["SYSTEM"] for pw in (lead, junction)]
    for key in ("nr1", "nr2", "nr1s", "nr2s", "ecutwfc", "ecutrho"):
        assert systems[0][key] == systems[1][key]
    assert len(lead["structure"].sites) == 12
    assert len(junction["structure"].sites) == 22
    assert found["scf_left_lead"]["kpoints"].get_kpoints_mesh()[0] == [3, 3, 4]
    assert found["scf_junction"]["kpoints"].get_kpoints_mesh()[0] == [1, 1, 1]


def test_a_folder_that_is_given_is_not_computed_again(
    builder: Callable[..., Any],
    scf_inputs: Callable[[Any], Begun],
    finished_pw: Callable[..., orm.RemoteData],
    lead_cell: Cell,
) -> None:
    filled = builder()
    del filled["left_lead"]
    filled.left_lead_folder = finished_pw(*lead_cell)
    chain, found = scf_inputs(filled)
    assert set(found) == {"scf_junction"}
    assert chain.ctx.folders == {"left_lead": filled.left_lead_folder}


@pytest.fixture
def lead_scf(
    codes: Codes,
    upf: Callable[..., UpfData],
    finished_pw: Callable[..., orm.RemoteData],
    aiida_localhost: orm.Computer,
    tmp_path: Path,
) -> Callable[..., tuple[Any, orm.RemoteData | None]]:
    """Fill the inputs of a lead's SCF; store a finished run of them if asked to."""
    # runs of other tests are not to be found
    lead_cell = Fcc111(4.0 + 0.001 * next(LATTICES), 2).lead()

    def factory(
        *, ran: bool = False, exit_status: int = 0, valence: int = 1, **changes: Any
    ) -> tuple[Any, orm.RemoteData | None]:
        values = load_protocol("demo", {"lead": changes}, workflow="transmission")["lead"]
        filled = ExactPwBaseWorkChain.get_builder()
        fill_scf(filled, codes["pw"], values)
        filled.pw.pseudos = {"Ag": upf(valence)}
        # a structure of another run is equal in content, and another node
        inputs = for_region(filled, structure_of(*lead_cell).store())
        inputs.kpoints.store()
        if not ran:
            return inputs, None
        save = tmp_path / "out" / "aiida.save"
        save.mkdir(parents=True)
        for name in ("data-file-schema.xml", "charge-density.dat"):
            (save / name).touch()
        folder = finished_pw(*lead_cell, computer=aiida_localhost, path=str(tmp_path))
        node = orm.WorkChainNode(process_type="aiida.workflows:rewire.pw.base")
        links = {
            "pw__structure": inputs.pw.structure,
            "pw__parameters": inputs.pw.parameters,
            "pw__pseudos__Ag": inputs.pw.pseudos["Ag"],
            "pw__code": codes["pw"],
            "kpoints": inputs.kpoints,
        }
        for label, data in links.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_WORK, label)
        node.set_process_state(ProcessState.FINISHED)
        node.set_exit_status(exit_status)
        node.store()
        folder.base.links.add_incoming(node, LinkType.RETURN, "remote_folder")
        return inputs, folder

    return factory


Scf = Callable[..., tuple[Any, orm.RemoteData | None]]


def test_an_scf_of_the_same_content_is_found_again(lead_scf: Scf) -> None:
    assert find_scf(lead_scf()[0]) is None
    _, folder = lead_scf(ran=True)
    inputs, _ = lead_scf()
    assert find_scf(inputs) == folder
    # it is found among others by each of its inputs
    assert find_scf(lead_scf(kpoints_mesh=[3, 3, 6])[0]) is None
    assert find_scf(lead_scf(parameters={"SYSTEM": {"degauss": 0.01}})[0]) is None
    assert find_scf(lead_scf(parameters={"CONTROL": {"tprnfor": True}})[0]) is None
    assert find_scf(lead_scf(valence=11)[0]) is None


def test_an_scf_by_another_program_is_another(lead_scf: Scf, codes: Codes, aiida_localhost: orm.Computer) -> None:
    lead_scf(ran=True)
    inputs, _ = lead_scf()
    inputs.pw.code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/true", label="other pw")
    assert find_scf(inputs) is None


@pytest.mark.parametrize("exit_status", [300, 410])
def test_an_scf_that_failed_is_not_found(lead_scf: Scf, exit_status: int) -> None:
    lead_scf(ran=True, exit_status=exit_status)
    assert find_scf(lead_scf()[0]) is None


@pytest.mark.parametrize("missing", ["data-file-schema.xml", "charge-density.dat"])
def test_an_scf_whose_files_are_gone_is_not_found(lead_scf: Scf, tmp_path: Path, missing: str) -> None:
    _, folder = lead_scf(ran=True)
    assert find_scf(lead_scf()[0]) == folder
    (tmp_path / "out" / "aiida.save" / missing).unlink()
    assert find_scf(lead_scf()[0]) is None


def test_an_scf_that_was_cleaned_is_not_found(lead_scf: Scf) -> None:
    _, folder = lead_scf(ran=True)
    assert folder is not None
    folder._clean()
    assert find_scf(lead_scf()[0]) is None


def test_an_scf_with_other_settings_is_another(lead_scf: Scf) -> None:
    lead_scf(ran=True)
    inputs, _ = lead_scf()
    inputs.pw.settings = orm.Dict({"gamma_only": True}).store()
    assert find_scf(inputs) is None


def test_k_points_may_be_given_by_their_distance(lead_scf: Scf) -> None:
    lead_scf(ran=True)
    inputs, _ = lead_scf()
    del inputs["kpoints"]
    inputs.kpoints_distance = orm.Float(0.2)
    assert find_scf(inputs) is None


def test_a_snapshot_takes_its_lead_and_makes_its_junction() -> None:
    ports = SnapshotConductanceWorkChain.spec().inputs
    assert not {"left_lead", "right_lead", "right_lead_folder", "junction", "junction_folder", "lead_scf"} & set(
        ports
    )
    required = {name for name, port in ports.items() if port.required}
    assert {"left_lead_folder", "scf", "snapshots", "index", "geometry", "lattice"} <= required
    # and the work chain that it is made of keeps its own
    assert {"left_lead", "junction", "right_lead", "lead_scf"} <= set(TransmissionWorkChain.spec().inputs)
    assert not TransmissionWorkChain.spec().inputs["left_lead_folder"].required


def test_a_snapshot_wants_the_fermi_energy_and_a_transmission_does_not() -> None:
    refusals = [
        chain.spec().inputs["pwcond"]["pwcond"]["energies"].validate(orm.List([0.1]))
        for chain in (SnapshotConductanceWorkChain, TransmissionWorkChain)
    ]
    assert "with 0.0, the Fermi energy" in str(refusals[0])
    assert refusals[1] is None
