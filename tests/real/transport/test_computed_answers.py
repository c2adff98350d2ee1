"""Transmissions that physics or a published run fixes, through the work chain and the real codes."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.engine import run_get_node
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.cli.validate import Case, overrides_of, row_of, setups_of, structures_of
from aiida_rewire.transport.known_answers import known_answers, reciprocal_pairs
from aiida_rewire.transport.known_setups import PSEUDOPOTENTIALS
from aiida_rewire.workflows.transmission import TransmissionWorkChain

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("aiida_profile")]

SUPPLIED = Path(__file__).parents[4] / "shared" / "pseudos"
"""Folder beside the repository with Quantum ESPRESSO's pseudopotentials of the published cases."""

LONG_S = 25.0
"""Seconds on one core from which on a case is left to the night."""

CASES: tuple[Case, ...] = (*known_answers(), *reciprocal_pairs())


def supplied(case: Case) -> list[str]:
    return [
        PSEUDOPOTENTIALS[name].file_name
        for name in case.setup.pseudos.values()
        if PSEUDOPOTENTIALS[name].generation is None
    ]


def parametrised(case: Case) -> Any:
    missing = [name for name in supplied(case) if not (SUPPLIED / name).is_file()]
    marks = [pytest.mark.slow, pytest.mark.timeout(3600)] if case.slow else []
    if case.seconds >= LONG_S and not case.slow:
        marks.append(pytest.mark.nightly)
    if missing:
        marks.append(pytest.mark.skip(reason=f"{', '.join(missing)} of Quantum ESPRESSO not beside the repository"))
    return pytest.param(case, id=case.name, marks=marks)


@pytest.fixture(scope="module")
def pseudo(made_pseudo: Callable[[str], UpfData]) -> Callable[[str], UpfData]:
    """Pseudopotentials by the name that cases give them."""

    def get(name: str) -> UpfData:
        source = PSEUDOPOTENTIALS[name]
        if source.generation is not None:
            return made_pseudo(source.generation.removesuffix(".in"))
        return UpfData(BytesIO((SUPPLIED / source.file_name).read_bytes()), filename=source.file_name)

    return get


@pytest.mark.parametrize("case", [parametrised(case) for case in CASES])
def test_known_answer(case: Case, codes: dict[str, orm.InstalledCode], pseudo: Callable[[str], UpfData]) -> None:
    nodes = []
    start = time.monotonic()
    for setup in setups_of(case):
        builder = TransmissionWorkChain.get_builder_from_protocol(
            codes,
            {element: pseudo(name) for element, name in setup.pseudos.items()},
            **structures_of(setup),
            protocol="demo",
            overrides=overrides_of(setup, case.unitarity_tolerance),
        )
        _, node = run_get_node(builder)
        assert node.is_finished_ok, node.exit_message
        nodes.append(node)
    row = row_of(case, nodes, time.monotonic() - start)
    assert row.good, row
