"""Arrays of many nodes from the repository, without loading a node."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def key_of(metadata: Any, name: str) -> str | None:
    """Return the key of an array in the repository.

    Parameters
    ----------
    metadata
        Column ``repository_metadata`` of the node.
    name
        Of the array.
    """
    objects = metadata.get("o") if isinstance(metadata, Mapping) else None
    entry = objects.get(f"{name}.npy") if isinstance(objects, Mapping) else None
    key = entry.get("k") if isinstance(entry, Mapping) else None
    return key if isinstance(key, str) else None


def read_arrays(keys: Iterable[str]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the arrays that the repository has, each once, in its own order.

    Parameters
    ----------
    keys
        Of `key_of`. Equal arrays of many nodes have one key, and are read once.
    """
    from aiida.manage import get_manager

    repository = get_manager().get_profile_storage().get_repository()
    for key, stream in repository.iter_object_streams(sorted(set(keys))):
        # numpy asks a file for its number, which a stream out of a pack has not
        yield key, np.load(io.BytesIO(stream.read()), allow_pickle=False)
