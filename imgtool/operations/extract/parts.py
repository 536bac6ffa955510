"""Take an image or a dump apart: its parts by name, the segments of its images, a manifest of all of it.

Parts are those of :func:`imgtool.operations.inspect.describe.describe`, and nothing is left out: what is no
part with contents of its own is fill, and the manifest says so.  Not split.py, which gives back the files
that an image was merged from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.formats.regions.init_data import SIZE as INIT_DATA_SIZE
from imgtool.formats.registry import identify
from imgtool.operations.assemble.joining import LARGEST_FLASH
from imgtool.operations.assemble.wrong_files import empty_file
from imgtool.operations.extract.manifest import FileStretch, FillStretch, Manifest, Source, Wrapper
from imgtool.operations.inspect.describe import described

if TYPE_CHECKING:
    from imgtool.formats.reading import Part, Reading, SegmentInfo
    from imgtool.operations.inspect.describe import Description

__all__ = ["ExtractedPart", "Extraction", "extract"]

_FILL: Final = (PartKind.GAP, PartKind.BLANK)
_SHORT_ADDRESSES: Final = 0x10_0000  # files up to here need five digits, as flashing tools name their files
_DEEPEST: Final = 2  # as describe looks: a gzip in a gzip, no further


@dataclass(frozen=True, slots=True)
class ExtractedPart:
    """One part of a file with its bytes.

    Attributes:
        name: Its kind, with a number where there are several: ``irom``, ``spiffs-2``.
        file: A file name by address and kind: ``0x10000-irom.bin``.
        part: What it is, and where in the file.
        data: Its bytes.
    """

    name: str
    file: str
    part: Part
    data: bytes

    @property
    def alone(self) -> bytes:
        """The bytes as a file of their own; of init data the 128 bytes, without the rest of its sector."""
        return self.data[:INIT_DATA_SIZE] if self.part.kind is PartKind.INIT_DATA else self.data


@dataclass(frozen=True, slots=True)
class Extraction:
    """A file taken apart.

    Attributes:
        description: What was taken apart: the file, or what is inside of one that only wraps another.
        data: Its bytes.
        parts: What has contents of its own, in file order.
        manifest: Every stretch of the bytes, with the file names of the parts.
        findings: What is to be said.
    """

    description: Description
    data: bytes
    parts: tuple[ExtractedPart, ...]
    manifest: Manifest
    findings: tuple[Finding, ...]

    @property
    def images(self) -> tuple[ExtractedPart, ...]:
        """The parts that have segments."""
        return tuple(part for part in self.parts if part.part.segments)

    def find(self, name: str | int) -> ExtractedPart | None:
        """The part of that name, or the one that begins at that offset; None where there is none."""
        return next((part for part in self.parts if name in (part.name, part.part.offset)), None)

    def segment(self, segment: SegmentInfo) -> bytes:
        """The bytes of a segment, without its header."""
        return self.data[segment.offset : segment.offset + segment.size]


def extract(data: bytes, name: str = "") -> Extraction:
    """Take a file apart.

    Args:
        data: The whole file.  Of gzip, Intel HEX, S-record and UF2 what is inside is taken apart.
        name: Its name, for the manifest.

    Raises:
        FormatError: It is empty, or larger than any flash.
    """
    inner, reading, wrapper, findings = _unwrapped(data)
    if not inner:
        raise empty_file(None)
    if len(inner) > LARGEST_FLASH:
        raise FormatError(
            "it is larger than any flash",
            expected=f"1 to {LARGEST_FLASH:,} bytes",
            found=f"{len(inner):,}",
        )
    description = described(inner, reading)
    errors = [finding for finding in description.findings if finding.severity is Severity.ERROR]
    if errors:
        message = f"the source is damaged or not known, its bytes are given as they are: {errors[0].message}"
        findings = (*findings, Finding(Severity.WARNING, "damaged", message, errors[0].offset))
    parts = tuple(_parts(inner, description))
    header = description.header
    source = Source(
        name,
        len(inner),
        description.sha256,
        str(description.kind),
        None if header is None else header.size,
        wrapper,
    )
    manifest = Manifest(source, tuple(_stretches(inner, description, parts)))
    return Extraction(description, inner, parts, manifest, findings)


def _unwrapped(data: bytes) -> tuple[bytes, Reading, Wrapper | None, tuple[Finding, ...]]:
    """What is inside of a file that only wraps another, read; which file that was, and what is to be said."""
    wrapper: Wrapper | None = None
    findings: list[Finding] = []
    inner, reading = data, identify(data)
    for _ in range(_DEEPEST):
        if reading.content is None:
            break
        if wrapper is None:
            wrapper = Wrapper(str(reading.kind), len(data), hashlib.sha256(data).hexdigest())
        message = f"offsets and parts are of what is inside the {reading.kind} file"
        findings.append(Finding(Severity.NOTE, "wrapped", message))
        findings += [
            Finding(Severity.WARNING, finding.code, f"{reading.kind}: {finding.message}", finding.offset)
            for finding in reading.findings
            if finding.severity is Severity.ERROR
        ]
        inner = reading.content
        reading = identify(inner)
    return inner, reading, wrapper, tuple(findings)


def _parts(data: bytes, description: Description) -> list[ExtractedPart]:
    digits = 5 if len(data) <= _SHORT_ADDRESSES else 6
    counts: dict[PartKind, int] = {}
    parts = []
    for part in description.parts:
        block = data[part.offset : part.end]
        if part.kind in _FILL and _is_one_byte(block):
            continue
        count = counts[part.kind] = counts.get(part.kind, 0) + 1
        name = str(part.kind) if count == 1 else f"{part.kind}-{count}"
        parts.append(ExtractedPart(name, f"0x{part.offset:0{digits}x}-{part.kind}.bin", part, block))
    return parts


def _stretches(
    data: bytes, description: Description, parts: tuple[ExtractedPart, ...]
) -> list[FileStretch | FillStretch]:
    by_offset = {part.part.offset: part for part in parts}
    stretches: list[FileStretch | FillStretch] = []
    for part in description.parts:
        block = data[part.offset : part.end]
        if _is_one_byte(block):
            stretches.append(FillStretch(block[0], part.offset, part.size, str(part.kind)))
        else:
            file = by_offset[part.offset].file
            digest = hashlib.sha256(block).hexdigest()
            stretches.append(FileStretch(file, part.offset, part.size, digest, str(part.kind)))
    return stretches


def _is_one_byte(block: bytes) -> bool:
    return fill.is_fill(block, 0, len(block), block[0])
