"""Parser of ld1.x."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from aiida.engine import ExitCode
from aiida.parsers import Parser
from aiida_pseudo.data.pseudo import UpfData


class Ld1Parser(Parser):
    """Take the pseudopotential out of what ld1.x wrote."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the pseudopotential, or say why there is none."""
        names = [name for name in self.retrieved.base.repository.list_object_names() if name.endswith(".UPF")]
        if len(names) != 1:
            return self.exit_code("ERROR_NO_PSEUDOPOTENTIAL", reason=self.fatal_error() or f"{len(names)} files")
        content = self.retrieved.base.repository.get_object_content(names[0], mode="rb")
        try:
            self.out("pseudo", UpfData(BytesIO(content), filename=names[0]))
        except ValueError as error:
            return self.exit_code("ERROR_INVALID_PSEUDOPOTENTIAL", reason=error)
        return None

    def fatal_error(self) -> str | None:
        """Return the message of the first fatal error that ld1.x printed."""
        name = self.node.get_option("output_filename")
        if name not in self.retrieved.base.repository.list_object_names():
            return "no output"
        text = self.retrieved.base.repository.get_object_content(name, mode="rb").decode("utf-8", errors="replace")
        error = re.search(r"Error in routine.*\n.*", text)
        return " ".join(error.group(0).split()) if error else None

    def exit_code(self, key: str, **details: object) -> ExitCode:
        """Return an exit code of the process, its message filled in."""
        code: ExitCode = getattr(self.exit_codes, key)
        return code.format(**details)
