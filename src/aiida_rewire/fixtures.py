"""Where the inputs that ship with the project lie, from a wheel as from a checkout."""

from __future__ import annotations

from pathlib import Path


def fixture_path(*parts: str) -> Path:
    """Return the path of a file in ``fixtures/``.

    Parameters
    ----------
    parts
        The path below ``fixtures/``.

    Raises
    ------
    FileNotFoundError
        If neither the wheel nor the checkout has it.
    """
    package = Path(__file__).resolve().parent
    places = [package / "_fixtures", package.parents[1] / "fixtures"]
    for place in places:
        path = place.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is in neither of {', '.join(map(str, places))}")
