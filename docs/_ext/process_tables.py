"""A directive that writes inputs, outputs and exit codes of AiiDA processes from their specifications.

``rewire-process`` takes the name of an entry point of ``aiida.calculations`` or ``aiida.workflows``; the title of
its section needs a label of the same name. Inputs that are exposed from a process documented like that, in a
namespace of their own, take one row, which refers to it. What comes from a class of AiiDA's own is left out; it
takes the name of such a class as well.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

from aiida import engine  # noqa: TID251 (its classes are what is documented)
from docutils import nodes
from plumpy.ports import PortNamespace
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

GROUPS = ("aiida.calculations", "aiida.workflows")
PREFIX = "rewire."
BASES = (engine.CalcJob, engine.BaseRestartWorkChain, engine.WorkChain)
"""AiiDA's own classes, a subclass before its parent."""

HIDDEN = frozenset({"metadata", "monitors"})
"""Ports that AiiDA gives to every process."""

Cell = str | list[nodes.Node]


def documented() -> dict[Any, str]:
    """Return the names of the project's entry points by process class; calculation functions have none."""
    points = (point for group in GROUPS for point in entry_points(group=group) if point.name.startswith(PREFIX))
    loaded = {point.load(): point.name for point in points}
    return {process: name for process, name in loaded.items() if inspect.isclass(process)}


def inline(text: str) -> list[nodes.Node]:
    """Turn a help text into nodes; what stands between backticks is literal."""
    pieces = re.split(r"`+([^`]+)`+", " ".join(text.split()))
    return [nodes.literal(text=piece) if odd % 2 else nodes.Text(piece) for odd, piece in enumerate(pieces) if piece]


def literals(names: Iterable[str]) -> list[nodes.Node]:
    """Return names as literals with commas between."""
    found: list[nodes.Node] = []
    for name in names:
        found += [nodes.Text(", ")] * bool(found) + [nodes.literal(text=name)]
    return found


def type_names(port: Any) -> list[nodes.Node]:
    """Return the node types that a port takes, other than none at all."""
    types = port.valid_type if isinstance(port.valid_type, tuple) else (port.valid_type,)
    return literals(kind.__name__ for kind in types if kind not in (None, type(None)))


def is_namespace(port: Any) -> bool:
    """Whether a port holds ports."""
    return isinstance(port, PortNamespace)


def leaves(namespace: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield the dotted names of all ports, and of namespaces that take any."""
    for name, port in namespace.items():
        if name in HIDDEN:
            continue
        if is_namespace(port) and len(port):
            yield from leaves(port, (*path, name))
        else:
            yield ".".join((*path, name)), port


def base_of(process: Any) -> Any:
    """Return the class of AiiDA's own whose ports and exit codes are documented apart, if any."""
    return next((base for base in BASES if issubclass(process, base) and process is not base), None)


def exposures(process: Any, names: dict[Any, str]) -> dict[str, Any]:
    """Return the documented class from which each namespace of a process comes, those passed on included."""
    found: dict[str, Any] = {}
    for namespace, classes in process.spec()._exposed_inputs.items():
        for exposed in classes:
            if namespace is None:
                found |= exposures(exposed, names)
            # a parent class may have exposed what a subclass of the project stands for
            found |= [(namespace, known) for known in names if namespace and issubclass(known, exposed)]
    return {namespace: known for namespace, known in found.items() if namespace in process.spec().inputs}


def input_rows(process: Any, names: dict[Any, str]) -> Iterator[list[Cell]]:
    """Yield a row for each input, or for each namespace that another documented process explains."""
    inputs, base = process.spec().inputs, base_of(process)
    explained = exposures(process, names)
    everywhere = {name for name, _ in leaves(base.spec().inputs)} if base else set()
    for name, port in leaves(inputs):
        if name not in everywhere and name.split(".")[0] not in explained:
            needed = "yes" if port.required and not port.has_default() else "no"
            yield [[nodes.literal(text=name)], type_names(port), needed, inline(port.help or "")]
    for namespace, exposed in explained.items():
        there = {name for name, _ in leaves(inputs[namespace])}
        left_out = [name for name, _ in leaves(exposed.spec().inputs) if name not in there]
        text = [nodes.Text("inputs of "), reference(names[exposed])]
        if left_out:
            text += [nodes.Text(" without "), *literals(left_out)]
        yield [[nodes.literal(text=f"{namespace}.*")], "namespace", "", text]


def reference(name: str) -> nodes.Node:
    """Refer to the section of a process."""
    target = addnodes.pending_xref(refdomain="std", reftype="ref", reftarget=name, refexplicit=True, refwarn=True)
    target += nodes.literal(text=name)
    return target


def output_rows(process: Any) -> Iterator[list[Cell]]:
    """Yield a row for each output, a calculation's common ones left out."""
    common = {name for name, _ in leaves(engine.CalcJob.spec().outputs)}
    for name, port in leaves(process.spec().outputs):
        if name not in common or process is engine.CalcJob:
            always = "" if is_namespace(port) else "yes" if port.required else "no"
            shown = f"{name}.*" if is_namespace(port) else name
            yield [[nodes.literal(text=shown)], type_names(port), always, inline(port.help or "")]


def exit_code_rows(process: Any) -> Iterator[list[Cell]]:
    """Yield a row for each exit code, those of AiiDA's own class left out."""
    base = base_of(process)
    everywhere = {(code.status, label) for label, code in base.spec().exit_codes.items()} if base else set()
    for label, code in sorted(process.spec().exit_codes.items(), key=lambda item: item[1].status):
        if (code.status, label) not in everywhere:
            yield [str(code.status), [nodes.literal(text=label)], inline(code.message)]


def table(titles: Iterable[str], rows: Iterable[list[Cell]]) -> nodes.Node:
    """Return a table, or a paragraph that says there is nothing."""
    head, body = list(titles), list(rows)
    if not body:
        return nodes.paragraph(text="None of its own.")
    group = nodes.tgroup(cols=len(head))
    # what a browser does not need, other formats do: names are short, the last column is a sentence
    group += [nodes.colspec(colwidth=50 if title == head[-1] else 20) for title in head]
    group += nodes.thead("", row([[nodes.Text(title)] for title in head]))
    group += nodes.tbody("", *(row(cells) for cells in body))
    return nodes.table("", group, classes=["colwidths-auto"])


def row(cells: list[Cell]) -> nodes.row:
    """Return a row of a table."""
    filled = ([nodes.Text(cell)] if isinstance(cell, str) else cell for cell in cells)
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *content)) for content in filled))


class ProcessTables(SphinxDirective):
    """Docstring, inputs, outputs and exit codes of a process."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the tables."""
        names, wanted = documented(), self.arguments[0]
        places = {name: found for found, name in names.items()} | {base.__name__: base for base in BASES}
        if wanted not in places:
            raise self.error(f"{wanted} is none of {', '.join(places)}")
        process = places[wanted]
        said: list[nodes.Node] = []
        if process in names:
            where = f"{process.__module__}.{process.__name__}"
            said += self.parse_text_to_nodes(inspect.getdoc(process) or "")
            said.append(nodes.paragraph("", "", nodes.Text("Class: "), nodes.literal(text=where)))
        return [
            *said,
            nodes.rubric(text="Inputs"),
            table(("name", "node type", "required", "meaning"), input_rows(process, names)),
            nodes.rubric(text="Outputs"),
            table(("name", "node type", "always", "meaning"), output_rows(process)),
            nodes.rubric(text="Exit codes"),
            table(("status", "label", "message"), exit_code_rows(process)),
        ]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("rewire-process", ProcessTables)
    return {"version": "1", "parallel_read_safe": True}
