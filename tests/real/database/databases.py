"""A profile on a database of its own, and scripts that fill and read it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.real.services.profile import Done, Profile

ROOT = Path(__file__).parents[3]
CLI = (sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", "database")
POSTGRESQL, SQLITE = "postgresql", "sqlite"

BEGIN = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from aiida import load_profile, orm
load_profile(sys.argv[1])
"""

FILL = f"""{BEGIN}
import io
from aiida.engine import calcfunction
from tests.database.query_checks import check_all

@calcfunction
def double(number):
    folder = orm.FolderData()
    folder.base.repository.put_object_from_filelike(io.BytesIO(str(number.value).encode() * 1000), "a/ü b.txt")
    return {{"result": orm.Int(2 * number.value), "folder": folder}}

for number in range(5):
    double(orm.Int(number))
numbers = orm.QueryBuilder().append(orm.Int).all(flat=True)
orm.Group(label="some", extras={{"x": [1, None]}}).store().add_nodes(numbers)
check_all()
"""

CONTENT = f"""{BEGIN}
from tests.database.contents import content
print(content())
"""

USE = f"""{BEGIN}
import time
orm.QueryBuilder().append(orm.Node).count()
print("uses", flush=True)
time.sleep(120)
"""

UNOWNED = f"""{BEGIN}
import io
from aiida.manage import get_manager
repository = get_manager().get_profile_storage().get_repository()
print(repository.put_object_from_filelike(io.BytesIO(b"nobody's" * 100)))
"""


@dataclass(frozen=True)
class Database:
    """A profile on a database.

    Attributes
    ----------
    profile
        Whose folder it is in.
    name
        Of the profile and its database.
    kind
        ``postgresql`` or ``sqlite``.
    add
        Makes another of the same kind.
    """

    profile: Profile
    name: str
    kind: str
    add: Callable[[str], Database]

    def rewire(self, *arguments: str, timeout_s: float = 120) -> Done:
        """Run `aiida-rewire database` on it."""
        return self.profile.command(*CLI, "--profile", self.name, *arguments, timeout_s=timeout_s)

    def answer(self, *arguments: str) -> Any:
        """Return what `aiida-rewire database` answers in JSON."""
        done = self.rewire(*arguments, "--json")
        assert done.status == 0, done.errors
        return json.loads(done.output)

    def refusal(self, *arguments: str) -> str:
        """Return the one line in which `aiida-rewire database` refuses something."""
        done = self.rewire(*arguments)
        lines = [line for line in done.errors.strip().splitlines() if not line.endswith("...")]
        assert (done.status, done.output, len(lines)) == (1, "", 1), done
        return lines[0].removeprefix("Error: ")

    def python(self, script: str, *arguments: str) -> str:
        """Run a script that loads the profile."""
        return self.profile.python(script, self.name, *arguments)

    def content(self) -> Any:
        """Return all that it holds."""
        return json.loads(self.python(CONTENT).strip().splitlines()[-1])

    @property
    def configuration(self) -> dict[str, Any]:
        """Of its storage."""
        file = self.profile.folder / ".aiida" / "config.json"
        found: dict[str, Any] = json.loads(file.read_text())["profiles"][self.name]["storage"]["config"]
        return found

    @property
    def container(self) -> Path:
        """Folder of its files."""
        if self.kind == SQLITE:
            return Path(self.configuration["filepath"]) / "container"
        return Path(unquote(urlsplit(self.configuration["repository_uri"]).path)) / "container"


@contextmanager
def running(database: Database, script: str) -> Iterator[None]:
    """Run a script in the background, from its first line on."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, database.name],
        env=database.profile.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() in ("holds", "uses")
        yield
    finally:
        process.kill()
        process.wait()
