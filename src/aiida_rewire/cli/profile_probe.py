"""Load the default profile at AIIDA_PATH, its broker's class, its storage; print a line of JSON for each.

Run as a program of its own by `aiida_rewire.cli.embedded_profile`, since AiiDA has one configuration folder
for a process and makes folders there when it is imported.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import TracebackType


def say(stage: str, **values: str | None) -> None:
    """Print one line for the program that listens."""
    sys.stdout.write(json.dumps({"stage": stage, **values}) + "\n")
    sys.stdout.flush()


def say_error(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """Print what ended this program, in place of a traceback."""
    said = str(error).strip().splitlines()
    say("error", kind=kind.__name__, message=said[0] if said else kind.__name__)


def require_sqlite_files(folder: Path) -> None:
    """Refuse a storage without its files: AiiDA would make an empty database in their place."""
    for needed in (folder / "database.sqlite", folder / "container" / "config.json"):
        if not needed.is_file():
            raise FileNotFoundError(f"{needed} is missing")


def main() -> None:
    """Go from the configuration to the storage, as far as it goes."""
    sys.excepthook = say_error

    from aiida import load_profile
    from aiida.plugins import BrokerFactory

    profile = load_profile()
    say("profile", name=profile.name, uuid=profile.uuid)

    broker = profile.process_control_backend
    if broker is not None:
        BrokerFactory(broker)
    say("broker", backend=broker)

    if profile.storage_backend.endswith(".sqlite_dos"):
        require_sqlite_files(Path(profile.storage_config["filepath"]))
    storage = profile.storage_cls(profile)
    say("storage", backend=profile.storage_backend, version=storage.version_head())
    storage.close()


if __name__ == "__main__":
    main()
