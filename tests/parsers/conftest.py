"""Finished calculations that only the database knows, and what their parser makes of the files they left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.plugins import CalculationFactory, ParserFactory


@dataclass(frozen=True)
class Parsed:
    """What a parser gave: outputs by label, and the label and message of the exit code, empty where all is well."""

    outputs: dict[str, orm.Data]
    exit_code: str
    message: str


@pytest.fixture(scope="session")
def parse(cluster: orm.Computer) -> Callable[..., Parsed]:
    """Parse files as if a calculation had left them."""

    def factory(
        entry_point: str,
        output_filename: str,
        inputs: Mapping[str, orm.Data],
        files: Mapping[str, bytes],
        temporary: Path | None = None,
        scheduler: tuple[int, str] | None = None,
        **options: Any,
    ) -> Parsed:
        node = orm.CalcJobNode(computer=cluster, process_type=f"aiida.calculations:{entry_point}")
        for name, value in {"output_filename": output_filename, **options}.items():
            node.set_option(name, value)
        for label, data in inputs.items():
            node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, label)
        node.store()
        if scheduler is not None:
            # as AiiDA does when the scheduler says why a job ended
            node.set_exit_status(scheduler[0])
            node.set_exit_message(scheduler[1])
        retrieved = orm.FolderData()
        for name, content in files.items():
            retrieved.base.repository.put_object_from_bytes(content, name)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        folder: dict[str, Any] = {"retrieved_temporary_folder": str(temporary)} if temporary else {}
        parser = ParserFactory(entry_point)
        outputs, process = parser.parse_from_node(node, store_provenance=False, **folder)
        labels = {code.status: label for label, code in CalculationFactory(entry_point).exit_codes.items()}
        exit_code = labels[process.exit_status] if process.exit_status else ""
        return Parsed(dict(outputs), exit_code, process.exit_message or "")

    return factory
