"""What data-file-schema.xml says, against what pw.x 6.7 was given and printed."""

import re

import numpy as np
import pytest

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.transport.pw_xml import PwRun, UnreadableXml, read_pw_xml

RYDBERG = 13.605693122994


def content(name: str) -> bytes:
    return fixture_path("pw_xml", f"{name}.xml").read_bytes()


def read(name: str) -> PwRun:
    return read_pw_xml(content(name))


def with_text(pattern: str, replacement: str, name: str = "wire") -> bytes:
    """The output part of a file, changed; the input part names many things as well."""
    before, after = content(name).decode().split("<output>")
    changed, times = re.subn(pattern, replacement, after, flags=re.DOTALL)
    assert times
    return f"{before}<output>{changed}".encode()


def test_a_wire_is_read() -> None:
    run = read("wire")
    assert run.prefix == "wire"
    assert run.cell == pytest.approx(np.diag([6.0, 6.0, 2.8]), abs=1e-12)
    assert run.alat == pytest.approx(6.0, abs=1e-10)
    assert run.positions == pytest.approx(np.zeros((1, 3)), abs=1e-12)
    assert (run.species, run.elements) == (("Ag",), ("Ag",))
    assert run.pseudo_files == {"Ag": "Ag.frozen-d.UPF"}
    assert run.fft_grid == run.smooth_fft_grid == (27, 27, 15)
    assert run.wavefunction_cutoff == pytest.approx(15 * RYDBERG, rel=1e-12)
    assert run.density_cutoff == pytest.approx(60 * RYDBERG, rel=1e-12)
    # printed: the Fermi energy is    -3.9308 ev
    assert run.fermi_energy == pytest.approx(-3.9308, abs=5e-5)
    assert run.two_fermi_energies is None
    assert (run.smearing, run.functional) == ("mv", "PBE")
    assert (run.lsda, run.noncolin, run.spinorbit) == (False, False, False)
    assert run.converged


def test_positions_keep_the_order_of_the_input() -> None:
    run = read("dimerised-wire")
    heights = [0.0, 2.8, 5.6, 9.1, 12.4, 15.6, 18.4, 21.2]
    wanted = np.column_stack([[0.0] * 4 + [0.4] + [0.0] * 3, np.zeros(8), heights])
    assert run.positions == pytest.approx(wanted, abs=1e-12)
    assert run.cell[2, 2] == pytest.approx(24.0, abs=1e-12)
    assert run.fft_grid == (27, 27, 120)


def test_dense_and_smooth_grids_and_convergence_are_told_apart() -> None:
    run = read("ultrasoft-unconverged")
    assert (run.fft_grid, run.smooth_fft_grid) == ((40, 40, 20), (36, 36, 15))
    assert run.density_cutoff / run.wavefunction_cutoff == pytest.approx(6.0)
    # electron_maxstep = 2
    assert not run.converged


def test_the_treatment_of_the_spin_is_read() -> None:
    run = read("two-fermi-energies")
    assert (run.lsda, run.noncolin, run.spinorbit) == (True, False, False)
    # printed: the spin up/dw Fermi energies are    -0.7720   -5.2915 ev
    assert run.fermi_energy is None
    assert run.two_fermi_energies == pytest.approx((-0.7720, -5.2915), abs=5e-5)
    spinor = read("noncollinear")
    assert (spinor.lsda, spinor.noncolin, spinor.spinorbit) == (False, True, False)
    assert read_pw_xml(with_text("<spinorbit>false", "<spinorbit>true", "noncollinear")).spinorbit


@pytest.mark.parametrize(("name", "level"), [("fixed", -5.8934), ("tetrahedra", -1.9645)])
def test_occupations_without_smearing_have_none(name: str, level: float) -> None:
    run = read(name)
    assert run.smearing is None
    assert run.fermi_energy == pytest.approx(level, abs=5e-5)
    kind = with_text("(<occupations_kind>).*?(</occupations_kind>)", rf"\1{name}\2")
    assert read_pw_xml(kind).smearing is None


def test_a_run_without_fermi_energy_or_smooth_grid() -> None:
    assert read_pw_xml(with_text("<fermi_energy>.*</fermi_energy>", "")).fermi_energy is None
    assert read_pw_xml(with_text("<fft_smooth.*?</fft_smooth>", "")).smooth_fft_grid == (27, 27, 15)
    # up to 6.3 and in a run that is not self-consistent
    assert not read_pw_xml(with_text("<convergence_achieved>.*?</convergence_achieved>", "")).converged


@pytest.mark.parametrize(
    ("species", "element"), [("Ag1", "Ag"), ("Ag_tip", "Ag"), ("Ag-1", "Ag"), ("H2", "H"), ("c", "C"), ("AG", "Ag")]
)
def test_a_species_tells_its_element(species: str, element: str) -> None:
    run = read_pw_xml(with_text('name="Ag"', f'name="{species}"'))
    assert (run.species, run.elements) == ((species,), (element,))
    assert run.pseudo_files == {species: "Ag.frozen-d.UPF"}


DAMAGE = [
    ("<output>.*</output>", "", "no output"),
    ('alat="[^"]*"', "", "no alat"),
    ('alat="[^"]*"', 'alat="NaN"', "not finite"),
    ("<a2>.*?</a2>", "", "no cell/a2"),
    ("<a2>.*?</a2>", "<a2>1.0 2.0</a2>", "2 numbers in a2, not 3"),
    ("<a2>.*?</a2>", "<a2>1.0 2.0 ******</a2>", "no number of a2"),
    ("<atom .*?</atom>", "", "no atoms"),
    ('<atom name="Ag"', '<atom name="C"', "no pseudopotential of C"),
    ('<atom name="Ag"', '<atom name="1"', "species '1'"),
    ('nr2="27"', 'nr2="-27"', "fft_grid of"),
    ('nr2="27"', 'nr2="1e9"', "fft_grid of"),
    ("<ecutwfc>.*?</ecutwfc>", "<ecutwfc></ecutwfc>", "nothing in ecutwfc"),
    ("<lsda>.*?</lsda>", "<lsda>maybe</lsda>", "neither true nor false"),
    ("<functional>.*?</functional>", "", "no dft/functional"),
    ("<prefix>.*?</prefix>", "", "no input/control_variables/prefix"),
]


@pytest.mark.parametrize(("pattern", "replacement", "words"), DAMAGE)
def test_damage_is_named(pattern: str, replacement: str, words: str) -> None:
    damaged = re.sub(pattern.encode(), replacement.encode(), content("wire"), flags=re.DOTALL)
    with pytest.raises(UnreadableXml, match=words):
        read_pw_xml(damaged)


def test_a_file_cut_off_anywhere_is_refused() -> None:
    whole = content("wire").rstrip()
    for length in range(0, len(whole), 97):
        with pytest.raises(UnreadableXml):
            read_pw_xml(whole[:length])


def test_any_bytes_are_read_or_refused() -> None:
    rng = np.random.default_rng(7)
    whole = np.frombuffer(content("wire"), dtype=np.uint8)
    refused = 0
    for _ in range(600):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        try:
            read_pw_xml(damaged.tobytes())
        except UnreadableXml:
            refused += 1
    assert 300 < refused < 600
    for junk in (
        b"",
        b"\0",
        b"<a/>",
        rng.bytes(1000),
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"<" * 10_000,
    ):
        with pytest.raises(UnreadableXml):
            read_pw_xml(junk)


def test_a_file_of_any_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_rewire.transport.pw_xml.LARGEST_FILE", 100)
    with pytest.raises(UnreadableXml, match="7932 bytes, more than 100"):
        read("wire")


def test_entities_are_refused_before_they_are_expanded() -> None:
    head = b'<?xml version="1.0"?><!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    body = content("wire").split(b"?>", 1)[1].replace(b"<prefix>wire", b"<prefix>&b;")
    for encoded in (head + body, (head + body).decode().encode("utf-16")):
        with pytest.raises(UnreadableXml, match=r"^a document type lol"):
            read_pw_xml(encoded)
