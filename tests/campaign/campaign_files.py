"""Campaign files of the tests."""

from __future__ import annotations

import copy
import json
from typing import Any

GOOD: dict[str, Any] = {
    "label": "silver",
    "protocol": "demo",
    "codes": {"md": "md@here", "pw": "pw@here", "pp": "pp@here", "pwcond": "pwcond@here"},
    "pseudo_family": "rewire/frozen-d",
    "md": {"voltages": [2.0, 8.0], "seeds": [1, 2]},
}
"""The least that a file says, with two voltages and two seeds."""

GONE = object()


def changed(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Values of a good file with others at dotted places; `GONE` takes them out."""
    values = copy.deepcopy(GOOD)
    for path, value in (changes or {}).items():
        *above, last = path.split(".")
        owner = values
        for part in above:
            owner = owner.setdefault(part, {})
        if value is GONE:
            del owner[last]
        else:
            owner[last] = value
    return values


def text_of(changes: dict[str, Any] | None = None) -> str:
    """Text of a good file with other values; JSON is YAML."""
    return json.dumps(changed(changes), indent=1)
