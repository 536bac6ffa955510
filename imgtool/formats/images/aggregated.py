"""Aggregated image: the version-1 image at 0, fill, and the irom part at 0x10000 (or 0x40000 before SDK 2.0).

What NodeMCU's builders hand out as one file.  The structure decides; firmware.py says whether it is NodeMCU.
Where irom ends no field tells, so everything behind its start counts as irom here;
imgtool.operations.inspect.describe looks for what else a file holds that reaches to the end of the flash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgtool.chip import IROM_BASE, IROM_WINDOW
from imgtool.errors import FormatError
from imgtool.formats import fill, lx106
from imgtool.formats.images import irom, version1
from imgtool.formats.images.version1 import BootImage
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.reading import SegmentInfo

__all__ = ["AggregatedImage", "Fit", "fit_of", "gap_findings", "gap_parts", "read"]

_NODEMCU = (b"NodeMCU", b"NodeMcu")  # never built for a user slot, so not to be asked about it
_MOST_JUNK = 0x800  # less than what any loader puts behind the image, and before what it loads
_LEAST_FILL = 16  # equal bytes that are taken for fill before something else
_USUAL_FILL = (0x00, fill.ERASED)  # of which fewer are enough
_ENOUGH_POINTERS = 16
# Of the addresses in irom that name IRAM code, 51 to 74 % begin a function where both parts are of one build,
# and at most 20 % where they are not (eight real pairs and all their mixtures, docs/formats/aggregated.md).
_FITTING_SHARE = 0.35


class AggregatedImage(NamedTuple):
    """An aggregated image as values.

    Attributes:
        boot: The version-1 image.
        code: irom, and whatever follows it in the file.
        irom_offset: Where irom begins, one of :data:`imgtool.formats.images.irom.OFFSETS`.
        gap_value: The byte between the two; 0xFF too where there is none.
    """

    boot: BootImage
    code: bytes
    irom_offset: int = irom.OFFSETS[0]
    gap_value: int = fill.ERASED

    @classmethod
    def parse(cls, data: bytes) -> AggregatedImage:
        """Read an aggregated image whose gap is one byte throughout; the checksum is read, not judged.

        Raises:
            FormatError: No whole image, other bytes in the gap, or no irom but fill where it should be.
        """
        boot = BootImage.parse(data)
        end = version1.scan(data).end
        offset = _irom_offset(data, end)
        if offset is None:
            expected = " or ".join(f"irom at 0x{place:05x}" for place in irom.OFFSETS)
            raise FormatError("no irom part stands behind the image", offset=end, expected=expected)
        value = data[end] if end < offset else fill.ERASED
        fill.expect(data, end, offset, value)
        return cls(boot, data[offset:], offset, value)

    def build(self) -> bytes:
        """The image as bytes.

        Raises:
            FormatError: The image reaches into irom, or irom does not belong there.
        """
        if self.irom_offset not in irom.OFFSETS:
            expected = " or ".join(f"0x{place:05x}" for place in irom.OFFSETS)
            found = f"0x{self.irom_offset:05x}"
            raise FormatError("irom does not begin there", expected=expected, found=found)
        message = "the image reaches into irom"
        return fill.padded(self.boot.build(), self.irom_offset, message, value=self.gap_value) + self.code


class Fit(NamedTuple):
    """How well an irom part fits the image before it.

    Attributes:
        pointers: How many of its addresses name code in the image's IRAM segment.
        share: Which share of those begins a function there.
    """

    pointers: int
    share: float

    @property
    def sure(self) -> bool:
        """Whether the two are clearly of one build."""
        return self.pointers >= _ENOUGH_POINTERS and self.share >= _FITTING_SHARE

    @property
    def mixed(self) -> bool:
        """Whether the two are clearly of different builds."""
        return self.pointers >= _ENOUGH_POINTERS and self.share < _FITTING_SHARE


def fit_of(data: bytes, segments: tuple[SegmentInfo, ...], irom_data: bytes) -> Fit:
    """Compare an irom part with the version-1 image in ``data`` whose segments are given."""
    code = [segment for segment in segments if segment.memory == "IRAM"]
    hits, starts = 0, 0.0
    for segment in code:
        end = segment.address + segment.size
        found = lx106.pointers(irom_data, segment.address, end)
        block = data[segment.offset : segment.offset + segment.size]
        count, share = lx106.function_share(found, block, segment.address)
        hits += count
        starts += count * share
    return Fit(hits, starts / hits if hits else 0.0)


def gap_parts(data: bytes, start: int, stop: int) -> tuple[Part, ...]:
    """The stretch between the image and irom: fill, and what is not fill."""
    if start >= stop:
        return ()
    value = data[start]
    end = fill.run_end(data, start, stop, value)
    if end - start >= _LEAST_FILL or (end == stop and value in _USUAL_FILL):
        gap = Part(PartKind.GAP, start, end - start, note=f"filled with 0x{value:02X}")
        return (gap, *gap_parts(data, end, stop))
    junk_end = stop if end == stop else fill.run_start(data, start, stop, data[stop - 1])
    junk = Part(PartKind.UNKNOWN, start, junk_end - start, note="not fill")
    return (junk, *gap_parts(data, junk_end, stop))


def gap_findings(parts: Iterable[Part]) -> list[Finding]:
    """That something else than fill stands between the image and irom, of parts that hold both."""
    words = "between the image and irom are not fill"
    return [
        Finding(Severity.WARNING, "gap", f"{in_bytes(part.size)} {words}", part.offset)
        for part in parts
        if part.kind is PartKind.UNKNOWN
    ]


def _irom_offset(data: bytes, end: int) -> int | None:
    """Where irom begins behind an image that ends at ``end``, by the fill before it."""
    for offset in reversed(irom.OFFSETS):
        if end <= offset < len(data) and fill.is_fill(data, end, offset, data[end]):
            return None if fill.is_fill(data, offset, len(data), data[offset]) else offset
    offset = irom.OFFSETS[0]
    if not end <= offset < len(data):
        return None
    return offset if irom.record_page(data, offset) or _junk_then_code(data, end, offset) else None


def _junk_then_code(data: bytes, end: int, offset: int) -> bool:
    """Whether a few bytes that belong to nothing stand behind the image, then fill, then code."""
    junk_end = fill.run_start(data, end, offset, data[offset - 1])
    near = junk_end - end < _MOST_JUNK and offset - junk_end >= _MOST_JUNK
    return near and lx106.looks_like_code(data[offset : offset + IROM_WINDOW])


def _is_nodemcu(data: bytes) -> bool:
    return any(data.find(name, 0, IROM_WINDOW) >= 0 for name in _NODEMCU)


def read(data: bytes) -> Reading | None:
    """Read a file as an image, fill and irom."""
    if data[:1] != bytes([version1.MAGIC]) or len(data) <= irom.OFFSETS[0]:
        return None
    try:
        found = version1.scan(data)
    except FormatError:
        return None
    offset = None if found.problem is not None else _irom_offset(data, found.end)
    if offset is None or not version1.is_plausible(data):
        return None
    if data[offset] == version1.MAGIC and version1.is_plausible(data, offset):
        return None  # an application with a header of its own, not raw irom
    if not _is_nodemcu(data) and irom.linked_slot(data[offset : offset + IROM_WINDOW]):
        return None  # a user image of 2014 has the same structure
    code = irom.parts_at(data, offset, offset)
    parts = (version1.part_of(found), *gap_parts(data, found.end, offset), *code)
    findings = [*version1.findings_of(found), *gap_findings(parts)]
    findings += _irom_findings(data, found.segments, code)
    return Reading(FileKind.AGGREGATED, parts, found.header, tuple(findings))


def _irom_findings(data: bytes, segments: tuple[SegmentInfo, ...], code: tuple[Part, ...]) -> list[Finding]:
    offset = code[0].offset
    findings = []
    irom_data = data[offset : offset + IROM_WINDOW]
    fit = fit_of(data, segments, irom_data)
    if fit.mixed:
        message = (
            f"irom looks like a different build: of the {fit.pointers} addresses in it that name code of the "
            f"image only {fit.share:.0%} begin a function there"
        )
        findings.append(Finding(Severity.WARNING, "mixed-builds", message, offset))
    named = irom.behind(data, segments, IROM_BASE + len(data), code=offset)
    findings.append(irom.cover_finding(data, offset, offset, named))
    return findings
