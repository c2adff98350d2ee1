"""Types and nonlocal spheres of pseudopotentials, against what pwcond.x prints."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from aiida_rewire.fixtures import fixture_path
from aiida_rewire.transport.grids import BOHR_ANGSTROM
from aiida_rewire.transport.upf import UnreadableUpf, pseudo_type, sphere_radii, sphere_radius

VERSION_1 = "<PP_HEADER>\n  0  Version Number\n  Ag  Element\n  {}  {} pseudopotential\n  11.0  Z valence\n"
HEADERS = {
    "version 2": ('<PP_HEADER element="Ag" pseudo_type="PAW" z_valence="11.0"/>', "PAW"),
    "version 2, spaces": ("<PP_HEADER\n element='Ag'\n pseudo_type = ' US'\n z_valence='11.0'/>", "US"),
    "version 2, lower case": ('<PP_HEADER element="Ag" pseudo_type="paw" z_valence="11.0"/>', "PAW"),
    "version 2, ld1.x": ('<PP_HEADER element="Ag" pseudo_type="USPP" z_valence="11.0"/>', "USPP"),
    "version 1, ultrasoft": (VERSION_1.format("US", "Ultrasoft"), "US"),
    "version 1, norm-conserving": (VERSION_1.format("NC", "Norm - Conserving"), "NC"),
    "version 1, PAW": (VERSION_1.format("PAW", "Projector Augmented Wave"), "PAW"),
    "neither": ("a file of another kind", "unknown"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_the_type_is_read_from_the_header(header: str) -> None:
    text, kind = HEADERS[header]
    assert pseudo_type(text) == kind


MESH = 0.01 * np.arange(501)
"""Bohr, from 0 to 5."""


def projector(reach: float) -> np.ndarray:
    """r times a Gaussian that falls to 1e-4 of its largest value at ``reach`` (bohr)."""
    return MESH * np.exp(-np.log(1e4) * (MESH / reach) ** 2)


def numbers(values: np.ndarray) -> str:
    return "\n".join(" ".join(f"{value:.14E}" for value in row) for row in np.array_split(values, len(values) // 4))


def version_2(kind: str, *projectors: np.ndarray) -> str:
    blocks = [
        f'<PP_BETA.{n} index="{n}"\n size="9">\n{numbers(p)}\n</PP_BETA.{n}>' for n, p in enumerate(projectors, 1)
    ]
    return (
        f'<UPF version="2.0.1"><PP_HEADER pseudo_type="{kind}"/>\n<PP_MESH dx="0.1"><PP_R type="real">\n'
        f"{numbers(MESH)}\n</PP_R><PP_RAB>\n1.0\n</PP_RAB></PP_MESH>\n<PP_NONLOCAL>\n" + "\n".join(blocks) + "\n"
        '<PP_DIJ size="4">\n1.0 2.0\n</PP_DIJ></PP_NONLOCAL></UPF>'
    )


def version_1(*projectors: np.ndarray) -> str:
    blocks = [
        f"<PP_BETA>\n    {n}    0             Beta    L\n   {len(p)}\n{numbers(p)}\n  2.20  2.60\n</PP_BETA>"
        for n, p in enumerate(projectors, 1)
    ]
    head = VERSION_1.format("NC", "Norm - Conserving")
    body = "\n".join(blocks)
    mesh = f"<PP_MESH>\n<PP_R>\n{numbers(MESH)}\n</PP_R>\n</PP_MESH>"
    return f"{head}</PP_HEADER>\n{mesh}\n<PP_NONLOCAL>\n{body}</PP_NONLOCAL>"


def test_a_sphere_ends_where_its_projector_is_a_ten_thousandth() -> None:
    text = version_2("NC", projector(2.005), projector(2.505))
    assert np.array(sphere_radii(text)) / BOHR_ANGSTROM == pytest.approx([2.00, 2.50], abs=1e-12)
    assert sphere_radius(text) / BOHR_ANGSTROM == pytest.approx(2.50, abs=1e-12)


def test_a_tail_below_zero_counts_and_the_first_radius_does_not() -> None:
    dip = projector(2.005)
    dip[300] = -3.1e-4
    assert sphere_radius(version_2("NC", dip)) / BOHR_ANGSTROM == pytest.approx(3.00, abs=1e-12)
    # the largest value is that of the signed profile: a projector below zero reaches as far as it is not zero
    negative = -projector(2.005)
    negative[401:] = 0.0
    assert sphere_radius(version_2("NC", negative)) / BOHR_ANGSTROM == pytest.approx(4.00, abs=1e-12)


@pytest.mark.parametrize("kind", ["US", "USPP"])
def test_ultrasoft_projectors_share_the_largest_sphere(kind: str) -> None:
    text = version_2(kind, projector(2.005), projector(2.505))
    assert np.array(sphere_radii(text)) / BOHR_ANGSTROM == pytest.approx([2.50, 2.50], abs=1e-12)


def test_version_1_is_read_up_to_its_number_of_points() -> None:
    text = version_1(projector(2.005)[:300], projector(2.505)[:300])
    assert np.array(sphere_radii(text)) / BOHR_ANGSTROM == pytest.approx([2.00, 2.50], abs=1e-12)


@pytest.mark.parametrize("kind", ["NC", "US"])
def test_without_projectors_there_is_no_sphere(kind: str) -> None:
    assert sphere_radius(version_2(kind)) == 0.0
    assert sphere_radius(version_1()) == 0.0


DAMAGE = [
    ("<PP_R .*?</PP_R>", "", "no radial mesh"),
    ("</PP_NONLOCAL>", "", "no PP_NONLOCAL"),
    ("</PP_BETA.1>", "", "not whole"),
    ("E-01", "E-0x", "PP_R"),
    ("E-01", "E+999", "not finite"),
    (r"(<PP_BETA.1.*?>).*?(</PP_BETA.1>)", r"\1\2", "PP_BETA.1: no numbers"),
    (r"(<PP_BETA.1.*?>)", r"\1 1.0", "502 values of PP_BETA.1 on 501 radii"),
]


@pytest.mark.parametrize(("pattern", "replacement", "words"), DAMAGE)
def test_damage_is_named(pattern: str, replacement: str, words: str) -> None:
    damaged, times = re.subn(pattern, replacement, version_2("NC", projector(2.005)), flags=re.DOTALL)
    assert times
    with pytest.raises(UnreadableUpf, match=words):
        sphere_radius(damaged)


@pytest.mark.parametrize(
    ("found", "put"), [("   501\n", "   many\n"), ("   501\n", "   600\n"), ("   501\n", "   -1\n")]
)
def test_damage_of_version_1_is_named(found: str, put: str) -> None:
    with pytest.raises(UnreadableUpf, match="projector"):
        sphere_radius(version_1(projector(2.005)).replace(found, put))


@pytest.mark.real
@pytest.mark.parametrize(
    ("generation", "kind", "printed"),
    [
        # pwcond.x: "Radii of nonlocal spheres" of a wire with alat = 11.3384 bohr
        ("Ag.frozen-d", "NC", [0.2063, 0.2280]),
        ("Ag.ultrasoft", "USPP", [0.3276] * 6),
    ],
)
def test_spheres_are_those_that_pwcond_prints(
    tmp_path: Path, generation: str, kind: str, printed: list[float]
) -> None:
    with fixture_path("ld1", f"{generation}.in").open() as given:
        subprocess.run(["ld1.x"], stdin=given, cwd=tmp_path, capture_output=True, check=True)
    text = next(tmp_path.glob("*.UPF")).read_text()
    assert pseudo_type(text) == kind
    assert np.array(sphere_radii(text)) / BOHR_ANGSTROM / 11.3384 == pytest.approx(printed, abs=6e-5)
