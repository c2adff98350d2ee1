"""Figures as files: the same input gives the same bytes, and a caption stands beside each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.style import journal_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiida_rewire.report.caption import Caption

FORMATS = (".png", ".svg", ".pdf")

UNDATED: dict[str, dict[str, Any]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""Metadata, without the time at which a file was made."""


def caption_path(figure: Path) -> Path:
    """Return where the caption of a figure stands: beside it, ``NAME.caption.md``."""
    return figure.with_name(f"{figure.stem}.caption.md")


def check_figure_path(path: Path, *, replace: bool) -> None:
    """Refuse a figure that could not be saved, before anything is computed for it.

    Parameters
    ----------
    path
        Of the figure.
    replace
        Whether it and its caption may be there.

    Raises
    ------
    InvalidInput
        If its ending names no format, its folder does not exist, or it may not be replaced.
    """
    if path.suffix.lower() not in FORMATS:
        raise InvalidInput("output", shown(path), f"a name that ends in {', '.join(FORMATS)}", "choose one of them")
    for one in (path, caption_path(path)):
        check_new(one, "output", replace=replace)


def check_new(path: Path, name: str, *, replace: bool) -> None:
    """Refuse a file that could not be written.

    Parameters
    ----------
    path
        Of the file.
    name
        Of the input that named it.
    replace
        Whether it may be there.

    Raises
    ------
    InvalidInput
        If its folder does not exist, it is a folder, or it is there and may not be replaced.
    """
    if not path.parent.is_dir():
        raise InvalidInput(name, shown(path), "in a folder that exists", f"make {shown(path.parent)} first")
    if path.is_dir():
        raise InvalidInput(name, shown(path), "the name of a file, not of a folder", "add the name of a file")
    if path.exists() and not replace:
        raise InvalidInput(name, shown(path), "new", "it is there: --force replaces it, another name keeps it")


def save_figure(figure: Figure, path: Path, caption: Caption | None = None, *, replace: bool = False) -> list[Path]:
    """Save a figure, and its caption beside it, each whole or not at all.

    Parameters
    ----------
    figure
        To be saved; it is best drawn inside `aiida_rewire.report.style.journal_style`.
    path
        Its ending, one of .png, .svg and .pdf, is the format.
    caption
        None for a figure without one.
    replace
        Whether files may be replaced.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InvalidInput
        As of `check_figure_path`.
    """
    check_figure_path(path, replace=replace)
    ending = path.suffix.lower()

    def draw(partial: Path) -> None:
        with journal_style():
            figure.savefig(partial, format=ending[1:], metadata=UNDATED[ending])

    write_whole(path, draw)
    if caption is None:
        return [path]
    text, beside = caption.text(path.name), caption_path(path)
    write_whole(beside, lambda partial: _write_text(partial, text))
    return [path, beside]


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name, and give it its own when it is complete.

    Parameters
    ----------
    path
        Of the file.
    write
        Writes to the path that it is given.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def shown(path: Path) -> str:
    """Return a path as it can be printed."""
    return str(path) if str(path).isprintable() else repr(str(path))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
