"""The wheel, installed beside the dependencies but not beside the checkout, is the whole project."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiida.plugins.entry_point import load_entry_point

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENTRY_POINTS = PROJECT["entry-points"]
SOURCES = ("src", "aiida_plugins", "workchains")

LOAD_EVERYTHING = """
import json, sys
from importlib.metadata import entry_points
from aiida.plugins.entry_point import load_entry_point
from aiida_rewire.fixtures import fixture_path

found = {"loaded": {}, "metadata": set()}
for group, names in json.loads(sys.argv[1]).items():
    for name in names:
        thing = load_entry_point(group, name)
        # a command of verdi is an object that click made of its function
        thing = getattr(thing, "callback", thing)
        module = thing.__module__
        found["loaded"][f"{group}:{name}"] = [f"{module}:{thing.__qualname__}", sys.modules[module].__file__]
        found["metadata"].add(str(entry_points(group=group)[name].dist.locate_file("")))
found["metadata"] = sorted(found["metadata"])
from aiida_rewire.report.page.citing import citations

found["cited"] = [work.doi for work in citations()]
found["fixtures"] = [str(fixture_path("ld1", "Ag.frozen-d.in")), str(fixture_path("forcefield", "Ag.reaxff.yaml"))]
print(json.dumps(found))
"""

LIST_EVERYTHING = """
import sys
from aiida.cmdline.commands.cmd_verdi import verdi

for group in sys.argv[1:]:
    print("group:", group, flush=True)
    verdi(["plugin", "list", group], standalone_mode=False)
"""


@dataclass(frozen=True)
class Installed:
    """A wheel and the environment that it is installed in."""

    wheel: Path
    packages: Path
    folder: Path

    def run(self, *arguments: str) -> str:
        """Run the environment's Python in an empty folder and return what it prints."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIIDA", "PYTHON"))}
        done = subprocess.run(
            [self.folder / "bin" / "python", "-W", "ignore", *arguments],
            cwd=self.folder,
            env={**kept, "AIIDA_PATH": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the wheel and install it in an environment that sees the dependencies of this one."""
    built = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(built), str(ROOT)]
    subprocess.run(build, cwd=built, capture_output=True, check=True, timeout=120)
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    # before it sees the packages of this environment, the project among them
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", str(wheel)], check=True, timeout=120)
    packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    # the path of an editable install is in a .pth file there, which Python does not follow from here
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    return Installed(wheel, packages, folder)


def test_the_wheel_holds_every_module_and_every_protocol(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("aiida_rewire/")}
    modules = {
        str(path.relative_to(ROOT / source))
        for source in SOURCES
        for path in (ROOT / source).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    data = {f"aiida_rewire/_fixtures/ld1/{path.name}" for path in (ROOT / "fixtures" / "ld1").iterdir()}
    data |= {"aiida_rewire/_fixtures/forcefield/Ag.reaxff.yaml", "aiida_rewire/_fixtures/CITATION.cff"}
    assert held == modules | data
    assert {"aiida_rewire/workflows/protocols/chain/demo.yaml", "aiida_rewire/_fixtures/ld1/Ag.frozen-d.in"} <= held


def test_the_three_roots_share_one_namespace(installed: Installed) -> None:
    # an __init__.py in one of them would hide the others
    assert not (installed.packages / "aiida_rewire" / "__init__.py").exists()
    assert not any((ROOT / source / "aiida_rewire" / "__init__.py").exists() for source in SOURCES)


def test_every_entry_point_loads_from_the_wheel(installed: Installed) -> None:
    found = json.loads(installed.run("-c", LOAD_EVERYTHING, json.dumps(ENTRY_POINTS)))
    assert {Path(place) for place in found["metadata"]} == {installed.packages}
    wanted = {f"{group}:{name}": target for group, names in ENTRY_POINTS.items() for name, target in names.items()}
    assert {name: target for name, (target, _) in found["loaded"].items()} == wanted
    for _, file in found["loaded"].values():
        assert Path(file).is_relative_to(installed.packages / "aiida_rewire")
    assert "10.1039/d3nh00476g" in found["cited"]
    for fixture in found["fixtures"]:
        assert Path(fixture).is_relative_to(installed.packages / "aiida_rewire" / "_fixtures")


def test_verdi_lists_every_plugin_of_the_wheel(installed: Installed) -> None:
    # brokers are plugins that `verdi plugin list` knows no group for
    groups = [group for group in ENTRY_POINTS if group != "aiida.brokers"]
    listed = installed.run("-c", LIST_EVERYTHING, *groups).split("group: ")[1:]
    assert len(listed) == len(groups) == len(ENTRY_POINTS) - 1
    for text in listed:
        group, *words = text.replace("*", " ").split()
        assert [name for name in ENTRY_POINTS[group] if name not in words] == []


def test_the_command_of_the_wheel_knows_its_subcommands(installed: Installed) -> None:
    command = installed.folder / "bin" / "aiida-rewire"
    assert command.exists()
    said = installed.run(str(command), "--help")
    assert "demo" in said
    assert "doctor" in said


ALL = [(group, name) for group, names in ENTRY_POINTS.items() for name in names]


@pytest.mark.parametrize(("group", "name"), ALL, ids=[f"{group}:{name}" for group, name in ALL])
def test_every_entry_point_loads_from_the_checkout(group: str, name: str) -> None:
    module, _, target = ENTRY_POINTS[group][name].partition(":")
    thing = load_entry_point(group, name)
    thing = getattr(thing, "callback", thing)
    assert (thing.__module__, thing.__qualname__) == (module, target)
