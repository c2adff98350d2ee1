"""Programs of a test's own."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def make_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Make an executable in a folder that comes first on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def make(name: str, content: str) -> Path:
        path = folder / name
        path.write_text(content)
        path.chmod(0o755)
        return path

    return make
