"""What differs between a flash and what should be in it: whether that is the image header alone; as JSON.

Not the comparing (imgtool.operations.flashing.transfer).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.chip import SECTOR
from imgtool.engine.chips import work_fields
from imgtool.engine.documents import Document, document
from imgtool.engine.verdicts import DONE, NO
from imgtool.formats.reading import Header
from imgtool.operations.flashing.transfer import read_flash, verify

if TYPE_CHECKING:
    from imgtool.device.session import Session
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.flashing.transfer import Mismatch

__all__ = ["SectorDifference", "VerifyResult", "judged", "verify_document"]

_HEADER_FIELDS = (2, 3)  # flash mode; flash size and frequency
_HEADER_END = 4


class SectorDifference(NamedTuple):
    """A sector that differs: the first byte that does, what should be there, what is, and what it means."""

    address: int
    expected: bytes
    found: bytes
    meaning: str


class VerifyResult(NamedTuple):
    """What was compared, in which way the pieces are not the files, what differs, and the time it took."""

    pieces: tuple[Piece, ...]
    changes: tuple[str, ...]
    differences: tuple[SectorDifference, ...]
    seconds: float

    @property
    def code(self) -> int:
        """The exit code of ``verify``."""
        return NO if self.differences else DONE


def judged(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> SectorDifference:
    """A difference, and whether it is one of the image header alone."""
    return SectorDifference(
        mismatch.address, mismatch.expected, mismatch.found, _of_header(mismatch, pieces, session)
    )


def _of_header(mismatch: Mismatch, pieces: tuple[Piece, ...], session: Session) -> str:
    """Which fields of the image header differ, if nothing else in the first sector does."""
    if mismatch.address not in _HEADER_FIELDS:
        return ""
    first = pieces[0]
    there = read_flash(session, 0, _HEADER_END)
    as_there = replace(first, data=there + first.data[_HEADER_END:SECTOR])
    if verify(session, [as_there]):
        return ""
    wanted, found = (Header(1, 0, data[2], data[3]) for data in (first.data, there))
    names = [
        f"{name} {getattr(found, name) or '?'} instead of {getattr(wanted, name) or '?'}"
        for name in ("mode", "freq", "size")
        if getattr(wanted, name) != getattr(found, name)
    ]
    return f"only the image header: {', '.join(names)}"


def verify_document(result: VerifyResult, session: Session) -> Document:
    """The document of ``verify``."""
    differences: list[dict[str, Any]] = [
        {
            "address": each.address,
            "expected": each.expected.hex(),
            "found": each.found.hex(),
            "header_only": bool(each.meaning),
        }
        for each in result.differences
    ]
    fields = {
        **work_fields(session),
        "parts": [{"name": p.name, "address": p.address, "size": len(p.data)} for p in result.pieces],
        "changes": list(result.changes),
        "differences": differences,
        "seconds": round(result.seconds, 3),
    }
    return document("verify", ok=not differences, results=[fields])
