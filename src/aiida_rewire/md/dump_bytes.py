"""The bytes of a plain or gzip file, a piece at a time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PIECE = 1 << 19
COMPRESSED_PIECE = 1 << 16
"""Deflate packs a thousandfold at most, so that a piece unpacked stays below 70 MB."""

_GZIP_MAGIC = b"\x1f\x8b"


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield what is in a file, unpacked if it is gzip, by its first two bytes.

    Raises
    ------
    EOFError
        If the file ends before the gzip data do; all that could be unpacked has been given.
    zlib.error
        If the gzip data are damaged.
    """
    with path.open("rb") as handle:
        magic = handle.read(len(_GZIP_MAGIC))
        handle.seek(0)
        if magic and _GZIP_MAGIC.startswith(magic):
            yield from _unpacked(handle)
            return
        while piece := handle.read(PIECE):
            yield piece


def _unpacked(handle: BinaryIO) -> Iterator[bytes]:
    member = _new_member()
    while packed := handle.read(COMPRESSED_PIECE):
        while packed:
            # gzip files put one after the other are one gzip file
            member = _new_member() if member.eof else member
            yield member.decompress(packed)
            packed = member.unused_data
    if not member.eof:
        raise EOFError


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
