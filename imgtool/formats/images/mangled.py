"""Images that went through a text-mode transfer, which put a 0x0d before every 0x0a.

They begin as images do, so they are looked for before all image formats.

See docs/formats/text.md; no source, the damage follows from what such a transfer does.
"""

from __future__ import annotations

from typing import Final

from imgtool.formats.images import version1, version2
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["crlf_mangled", "read"]

_LARGE: Final = 0x2000
_ENOUGH_FEEDS: Final = 8


def crlf_mangled(data: bytes) -> bool:
    """Whether the bytes are an image that was transferred in text mode, 0x0d put before every 0x0a.

    That an image is whole as it stands rules it out.  That undoing it gives a whole image proves it.  Where a
    cut leaves no proof, an image of more than 8 KiB must hold several 0x0a and none without a 0x0d before it:
    code alone has one in 256 bytes or so.
    """
    feeds = data.count(b"\n")
    if not _is_image(data) or feeds == 0 or feeds != data.count(b"\r\n") or _holds(data):
        return False
    return _holds(_undone(data)) or (len(data) > _LARGE and feeds >= _ENOUGH_FEEDS)


def read(data: bytes) -> Reading | None:
    """Read an image that was transferred in text mode, which no image format could make sense of."""
    if not crlf_mangled(data):
        return None
    undone = _undone(data)
    reading = _image(undone)
    message = (
        "the file was transferred in text mode, which put a 0x0d before every 0x0a: fetch it in binary mode"
    )
    if _holds(undone):
        message += f" (undone, the image of {len(undone):,} bytes is whole)"
    version_1 = data[0] == version1.MAGIC
    part = Part(PartKind.IMAGE_V1 if version_1 else PartKind.IMAGE_V2, 0, len(data), note="mangled as text")
    return Reading(
        FileKind.IMAGE_V1 if version_1 else FileKind.IMAGE_V2,
        (part,),
        None if reading is None else reading.header,
        (Finding(Severity.ERROR, "crlf", message, data.find(b"\r\n")),),
    )


def _is_image(data: bytes) -> bool:
    if data[:1] == bytes([version1.MAGIC]):
        return version1.is_plausible(data)
    return data[:2] == bytes([version2.MAGIC, 4])


def _image(data: bytes) -> Reading | None:
    return version1.read(data) or version2.read(data)


def _holds(data: bytes) -> bool:
    reading = _image(data)
    return reading is not None and all(f.severity is not Severity.ERROR for f in reading.findings)


def _undone(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")
