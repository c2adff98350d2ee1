"""Parser of ld1.x."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from aiida.engine import ExitCode
from aiida_pseudo.data.pseudo import UpfData

from aiida_rewire.parsers.retrieved import RetrievedFilesParser


class Ld1Parser(RetrievedFilesParser):
    """Take the pseudopotential out of what ld1.x wrote."""

    def parse(self, **kwargs: Any) -> ExitCode | None:
        """Store the pseudopotential, or say why there is none."""
        names = [name for name in self.file_names if name.endswith(".UPF")]
        if len(names) != 1:
            return self.exit_code("ERROR_NO_PSEUDOPOTENTIAL", reason=self.fatal_error() or f"{len(names)} files")
        content = self.retrieved.base.repository.get_object_content(names[0], mode="rb")
        if not content.rstrip().endswith(b"</UPF>"):
            return self.exit_code("ERROR_INVALID_PSEUDOPOTENTIAL", reason="it is cut off")
        try:
            self.out("pseudo", UpfData(BytesIO(content), filename=names[0]))
        except ValueError as error:
            return self.exit_code("ERROR_INVALID_PSEUDOPOTENTIAL", reason=error)
        return None

    def fatal_error(self) -> str | None:
        """Return the message of the first fatal error that ld1.x printed."""
        text = self.stdout()
        if text is None:
            return "no output"
        error = re.search(r"Error in routine.*\n.*", text)
        return " ".join(error.group(0).split()) if error else None
