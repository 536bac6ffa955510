"""Split an image back into the parts that it was merged from: the inverse of assemble/merge.py.

Nothing but erased flash and the fill before irom is left out, so merging the parts gives the image back.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from imgtool.chip import IROM_PLACE, SECTOR
from imgtool.errors import FormatError
from imgtool.formats import fill
from imgtool.formats.containers.tuya import TuyaHeader
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import Finding, PartKind, Severity
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.assemble.wrong_files import is_none_of_ours, wrong_file
from imgtool.operations.inspect.describe import describe

if TYPE_CHECKING:
    from imgtool.formats.reading import Part
    from imgtool.operations.inspect.describe import Description

__all__ = ["Split", "split"]


@dataclass(frozen=True, slots=True)
class Split:
    """The parts that an image was made of.

    Attributes:
        pieces: In address order, named by flash address: ``0x00000.bin``, ``0x10000.bin``.
        description: What the image is.
        fill: The value between the parts.
        size: Bytes of the whole image.
        findings: What is to be said.
    """

    pieces: tuple[Piece, ...]
    description: Description
    fill: int
    size: int
    findings: tuple[Finding, ...]


# Parts that belong into one file: bytes behind an image stood in its file, and so did fill behind irom.
_JOINED: Final = frozenset(
    {
        (PartKind.IMAGE_V1, PartKind.UNKNOWN),
        (PartKind.PARTITION_TABLE, PartKind.IROM),
        (PartKind.IROM, PartKind.GAP),
        (PartKind.IMAGE_V2, PartKind.IROM),
        (PartKind.IROM, PartKind.IMAGE_V1),
    }
)
_SPLITS: Final = "an aggregated image, a flash image or a Tuya OTA file"
# Parts of what stands before them.
_BELONGING: Final = (
    PartKind.APP,
    PartKind.CRC_TAIL,
    PartKind.LENGTH_CRC_WORDS,
    PartKind.MD5_TAIL,
    PartKind.SHA256_TAIL,
)
_HALF_MB: Final = 0x8_0000  # a slot of the map of 1 MB, which is the most common
# Kept in sectors of their own, whose erased rest is no content.
_SECTORS: Final = (PartKind.INIT_DATA, PartKind.RF_CAL, PartKind.SYSTEM_PARAM)


def split(data: bytes) -> Split:
    """Cut an image into the parts that it was merged from; merging them again gives it back.

    Only erased flash, and the fill between the image and irom, is left out; nothing else is trimmed.  Of a
    Tuya OTA file it is the image for each user slot.

    Raises:
        FormatError: It is no aggregated image, no flash image and no Tuya OTA file.
    """
    description = describe(data)
    container = description.parts[0].value if description.parts else None
    if isinstance(container, TuyaHeader):
        return Split(_slots_of(data, description, container), description, fill.ERASED, len(data), ())
    if is_none_of_ours(description):
        raise wrong_file(description, None, _SPLITS)
    if not KINDS[description.kind].has_layout:
        raise FormatError(
            "only an aggregated image, a flash image or a Tuya OTA file can be split",
            found=KINDS[description.kind].words,
        )
    runs = _file_runs(data, description)
    pieces = tuple(Piece(start, data[start:stop], f"0x{start:05x}.bin") for start, stop in runs)
    gap = _gap(description)
    fill_byte = fill.ERASED if gap is None else data[gap.offset]
    return Split(pieces, description, fill_byte, len(data), tuple(_findings(runs, description, fill_byte)))


def _slots_of(data: bytes, description: Description, container: TuyaHeader) -> tuple[Piece, ...]:
    """The images of an OTA file, each for its slot: user1 stands first."""
    errors = [finding for finding in description.findings if finding.severity is Severity.ERROR]
    if errors:
        raise FormatError(f"the Tuya OTA file is damaged: {errors[0].message}", offset=errors[0].offset)
    size = None if description.header is None else description.header.flash_size
    half = _HALF_MB if size is None or not size.ota_slot else size.ota_slot
    places = (SECTOR, half + SECTOR)
    if len(container.images) > len(places):
        found = f"{len(container.images)} images"
        raise FormatError("the Tuya OTA file has more images than slots", expected="1 or 2", found=found)
    return tuple(
        Piece(address, data[image.offset : image.offset + image.size], f"0x{address:05x}.bin")
        for address, image in zip(places, container.images, strict=False)
    )


def _gap(description: Description) -> Part | None:
    """The fill right in front of irom, which merging puts there again; None where there is none."""
    for gap, part in pairwise(description.parts):
        if part.kind in (PartKind.IROM, PartKind.PARTITION_TABLE):
            return gap if gap.kind is PartKind.GAP else None
    return None


def _file_runs(data: bytes, description: Description) -> list[tuple[int, int]]:
    """Start and stop of each part file."""
    gap = _gap(description)
    gap_offset = None if gap is None else gap.offset
    runs: list[tuple[int, int]] = []
    before: PartKind | None = None
    for part in description.parts:
        joins = (before, part.kind) in _JOINED or part.kind in _BELONGING
        if runs and joins and runs[-1][1] == part.offset:
            runs[-1] = (runs[-1][0], part.end)
        elif part.kind is PartKind.UNKNOWN and before is PartKind.GAP and part.offset <= IROM_PLACE:
            runs[-1] = (runs[-1][0], part.end)  # bytes behind the image, with fill of their own
        elif part.offset != gap_offset and part.kind is not PartKind.BLANK:
            stop = fill.run_start(data, part.offset, part.end)
            if stop > part.offset:
                runs.append(
                    (part.offset, stop if part.kind in _SECTORS and part.end < len(data) else part.end)
                )
        before = part.kind
    return runs


def _findings(runs: list[tuple[int, int]], description: Description, fill_byte: int) -> list[Finding]:
    findings: list[Finding] = []
    if fill_byte != fill.ERASED:
        message = f"the fill between the parts is 0x{fill_byte:02X}"
        findings.append(Finding(Severity.NOTE, "fill", message))
    for start, stop in runs:
        inside = [p for p in description.parts if p.kind is PartKind.GAP and start < p.offset < stop]
        for part in inside:
            message = (
                f"0x{start:05x}.bin keeps {part.size:,} bytes {part.note} from 0x{part.offset:05x} on: "
                "no field says where irom ends"
            )
            findings.append(Finding(Severity.NOTE, "fill-kept", message, part.offset))
    if runs[-1][1] < description.size:
        message = f"erased flash up to 0x{description.size:05x} is left out"
        findings.append(Finding(Severity.NOTE, "erased-left-out", message, runs[-1][1]))
    return findings
