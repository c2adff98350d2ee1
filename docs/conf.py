"""Configuration of Sphinx."""

import atexit
import os
import re
import shutil
import sys
import tempfile
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# importing aiida makes folders where AIIDA_PATH points, by default in the user's home
os.environ["AIIDA_PATH"] = tempfile.mkdtemp(prefix="aiida-rewire-docs-")
Path(os.environ["AIIDA_PATH"], ".aiida").mkdir()
atexit.register(shutil.rmtree, os.environ["AIIDA_PATH"], ignore_errors=True)

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "aiida-rewire"
author = "The aiida-rewire developers"
copyright = author
version = release = installed_version("aiida-rewire")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "process_tables",
    "campaign_fields",
]
exclude_patterns = ["_build", "_ext"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"aiida-rewire {release}"

ARRAY = re.compile(r"~?[\w.]*ndarray\[tuple\[[^]]*\], ~?[\w.]*dtype\[~?(?:\w+\.)*(\w+)\]\]")
ATTRIBUTES = re.compile(r"^:ivar ((?:\w+, )+\w+):.*\n(?:[ ].*\n|\n(?=[ ]))*", re.MULTILINE)
HIDDEN_COLON = "\ue000"
PATH_DEFAULT = re.compile(r"``(?:PosixPath\()?'(.*?)'\)?``")


def mend_docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Give attributes that share a description one each, and keep the bars of an absolute value as they are."""

    def apart(found: re.Match[str]) -> str:
        return "".join(found.group(0).replace(found.group(1), name, 1) for name in found.group(1).split(", "))

    text = ATTRIBUTES.sub(apart, "\n".join(lines)).replace("|", r"\|").replace(HIDDEN_COLON, ":")
    lines[:] = text.split("\n")


def hide_colons(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from taking what stands before a colon in the first line for a type."""
    if what in ("attribute", "data", "property"):
        lines[:1] = [line.replace(":", HIDDEN_COLON) for line in lines[:1]]


def shorten_arrays(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write an array's type as the source does."""
    return tuple(ARRAY.sub(r"NDArray[\1]", text) if text else text for text in (signature, returns))


def plain_defaults(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Write the default of an option as one would type it."""
    lines[:] = [PATH_DEFAULT.sub(r"``\1``", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    from aiida.manage.configuration import get_config

    # autodoc looks at every attribute of AiiDA's classes, deprecated ones included
    get_config(create=True).set_option("warnings.showdeprecations", False)
    app.connect("autodoc-process-docstring", hide_colons, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", mend_docstring)
    app.connect("autodoc-process-signature", shorten_arrays)
    app.connect("sphinx-click-process-options", plain_defaults)
