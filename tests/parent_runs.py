"""Runs of pw.x that only the database knows, made to measure, and what they are made of."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.calculations.parents import XML_NAME
from aiida_rewire.junction.assembly import FlatGap, assemble_scattering_region
from aiida_rewire.junction.lattice import Fcc111
from aiida_rewire.transport.grids import BOHR_ANGSTROM
from aiida_rewire.transport.pw_xml import HARTREE_EV

LATTICE = Fcc111(4.16, 2)
RYDBERG_EV = HARTREE_EV / 2
REACH = 2.6
"""Bohr; largest nonlocal sphere of the frozen-d pseudopotential."""

Cell = tuple[np.ndarray, np.ndarray]

UPF = """<UPF version="2.0.1">
<PP_HEADER
element="{element}"
pseudo_type="{kind}"
z_valence="{valence:.2f}"/>
<PP_MESH><PP_R>0.0 {half} {reach} {beyond}</PP_R></PP_MESH>
<PP_NONLOCAL><PP_BETA.1>0.0 1.0 0.5 0.0</PP_BETA.1></PP_NONLOCAL>
</UPF>
"""


def pw_xml(
    cell: np.ndarray,
    positions: np.ndarray,
    elements: Sequence[str],
    *,
    alat: float | None = None,
    fft_grid: tuple[int, int, int] = (27, 27, 90),
    smooth_fft_grid: tuple[int, int, int] = (27, 27, 90),
    wavefunction_cutoff: float = 15 * RYDBERG_EV,
    density_cutoff: float = 60 * RYDBERG_EV,
    fermi_energy: float | None = -1.4,
    smearing: str | None = "mv",
    functional: str = "PBE",
    lsda: bool = False,
    noncolin: bool = False,
    spinorbit: bool = False,
    converged: bool = True,
) -> bytes:
    """What pw.x writes to data-file-schema.xml (fixtures/pw_xml), as far as anybody reads it.

    Lengths in Å and energies in eV, written in bohr and Hartree.
    """

    def numbers(values: Any) -> str:
        return " ".join(f"{value:.16e}" for value in np.atleast_1d(values))

    def grid(tag: str, sizes: tuple[int, int, int]) -> str:
        return f'<{tag} nr1="{sizes[0]}" nr2="{sizes[1]}" nr3="{sizes[2]}"></{tag}>'

    def logical(tag: str, value: bool) -> str:
        return f"<{tag}>{str(value).lower()}</{tag}>"

    species = "".join(
        f'<species name="{kind}"><mass>1.0</mass><pseudo_file>{kind}.upf</pseudo_file></species>'
        for kind in dict.fromkeys(elements)
    )
    atoms = "".join(
        f'<atom name="{kind}" index="{index}">{numbers(position / BOHR_ANGSTROM)}</atom>'
        for index, (kind, position) in enumerate(zip(elements, positions, strict=True), 1)
    )
    vectors = "".join(f"<a{k}>{numbers(vector / BOHR_ANGSTROM)}</a{k}>" for k, vector in enumerate(cell, 1))
    alat_bohr = (np.linalg.norm(cell[0]) if alat is None else alat) / BOHR_ANGSTROM
    fermi = "" if fermi_energy is None else f"<fermi_energy>{numbers(fermi_energy / HARTREE_EV)}</fermi_energy>"
    occupations = "fixed" if smearing is None else "smearing"
    smeared = "" if smearing is None else f'<smearing degauss="1.0e-2">{smearing}</smearing>'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<qes:espresso Units="Hartree atomic units" xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0">
  <input><control_variables><prefix>aiida</prefix></control_variables></input>
  <output>
    <convergence_info><scf_conv>{logical("convergence_achieved", converged)}</scf_conv></convergence_info>
    <atomic_species>{species}</atomic_species>
    <atomic_structure nat="{len(elements)}" alat="{numbers(alat_bohr)}">
      <atomic_positions>{atoms}</atomic_positions>
      <cell>{vectors}</cell>
    </atomic_structure>
    <basis_set>
      <ecutwfc>{numbers(wavefunction_cutoff / HARTREE_EV)}</ecutwfc>
      <ecutrho>{numbers(density_cutoff / HARTREE_EV)}</ecutrho>
      {grid("fft_grid", fft_grid)}{grid("fft_smooth", smooth_fft_grid)}
    </basis_set>
    <dft><functional>{functional}</functional></dft>
    <band_structure>
      {logical("lsda", lsda)}{logical("noncolin", noncolin)}{logical("spinorbit", spinorbit)}
      {fermi}<occupations_kind>{occupations}</occupations_kind>{smeared}
    </band_structure>
  </output>
</qes:espresso>
""".encode()


def structure_of(cell: np.ndarray, positions: np.ndarray, elements: Sequence[str] | None = None) -> orm.StructureData:
    """Make a structure, of silver unless told otherwise."""
    structure = orm.StructureData(cell=np.asarray(cell, dtype=float).tolist())
    symbols = elements or ["Ag"] * len(positions)
    for position, symbol in zip(np.asarray(positions, dtype=float).tolist(), symbols, strict=True):
        structure.append_atom(position=position, symbols=symbol)
    return structure


@pytest.fixture(scope="session")
def silver() -> Callable[..., orm.StructureData]:
    """Make a structure of silver."""
    return structure_of


@pytest.fixture(scope="session")
def upf() -> Callable[..., UpfData]:
    """Make a pseudopotential of a header and one projector, which reaches so far (bohr)."""

    def factory(valence: float = 1, kind: str = "NC", reach: float = REACH, element: str = "Ag") -> UpfData:
        text = UPF.format(element=element, kind=kind, valence=valence, half=reach / 2, reach=reach, beyond=2 * reach)
        return UpfData(io.BytesIO(text.encode()), filename=f"{element}.upf")

    return factory


@pytest.fixture(scope="session")
def cluster(aiida_profile: Any) -> orm.Computer:
    """A computer that nothing runs on."""
    computer = orm.Computer("cluster", "localhost", transport_type="core.local", scheduler_type="core.direct")
    return computer.store()


@pytest.fixture(scope="session")
def finished_pw(cluster: orm.Computer, upf: Callable[..., UpfData]) -> Callable[..., orm.RemoteData]:
    """Store what a run of pw.x leaves in the database, and return its folder.

    Keywords that are none of the factory's change its XML file (`pw_xml`).
    """

    def factory(
        cell: np.ndarray,
        positions: np.ndarray,
        *,
        elements: Sequence[str] | None = None,
        pseudos: Mapping[str, UpfData] | None = None,
        exit_status: int = 0,
        computer: orm.Computer | None = None,
        path: str | None = None,
        files: Mapping[str, bytes] | None = None,
        **results: Any,
    ) -> orm.RemoteData:
        computer = computer or cluster
        kinds = list(elements or ["Ag"] * len(positions))
        known = pseudos or {kind: upf(element=kind) for kind in dict.fromkeys(kinds)}
        node = orm.CalcJobNode(computer=computer, process_type="aiida.calculations:quantumespresso.pw")
        inputs = {"structure": structure_of(cell, positions, kinds)}
        inputs |= {f"pseudos__{kind}": pseudo for kind, pseudo in known.items()}
        for label, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        node.set_process_state("finished")
        node.set_exit_status(exit_status)
        node.store()
        retrieved = orm.FolderData()
        left = {XML_NAME: pw_xml(cell, positions, kinds, **results)} if files is None else files
        for name, content in left.items():
            retrieved.base.repository.put_object_from_bytes(content, name)
        remote = orm.RemoteData(remote_path=path or f"/scratch/{node.uuid}", computer=computer)
        outputs = {"output_parameters": orm.Dict({}), "remote_folder": remote, "retrieved": retrieved}
        for label, data in outputs.items():
            data.base.links.add_incoming(node, LinkType.CREATE, label)
            data.store()
        node.seal()
        return remote

    return factory


@pytest.fixture(scope="session")
def lead_cell() -> Cell:
    """Cell and positions of a lead."""
    return LATTICE.lead()


@pytest.fixture(scope="session")
def junction_cell() -> Cell:
    """Cell and positions of two leads in a row."""
    cell, positions = LATTICE.lead()
    return cell * [[1], [1], [2]], np.vstack([positions, positions + cell[2]])


@pytest.fixture(scope="session")
def dimer_cell() -> Cell:
    """Cell and positions of a dimer between flat layers."""
    dimer = np.array([[0.0, 0.0, 2.4], [0.0, 0.0, 5.2]])
    region = assemble_scattering_region(dimer, FlatGap(0.0, 7.6), LATTICE)
    return region.cell, region.positions
