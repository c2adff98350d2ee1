"""Work chains that are launched from a protocol, by the daemon or here."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ProcessBuilder, run_get_node, submit


class LaunchedFromProtocol:
    """A work chain with a ``get_builder_from_protocol``."""

    @classmethod
    def submit_from_protocol(cls, *args: Any, label: str = "", **kwargs: Any) -> orm.WorkChainNode:
        """Submit to the daemon; the arguments are those of ``get_builder_from_protocol``."""
        builder = cls.get_builder_from_protocol(*args, **kwargs)  # type: ignore[attr-defined]
        builder.metadata.label = label
        return cls.launch(builder)

    @classmethod
    def launch(cls, builder: ProcessBuilder, *, here: bool = False) -> orm.WorkChainNode:
        """Submit to the daemon, or run in this process."""
        return run_get_node(builder)[1] if here else submit(builder)
