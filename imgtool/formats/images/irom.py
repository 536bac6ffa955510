"""Raw irom part: code that runs from flash, without any header (0x10000.bin, eagle.irom0text.bin).

Recognised by elimination, as it has no magic, no length and no checksum.  What it begins with is arbitrary.
See docs/formats/irom.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import IROM_BASE, IROM_PLACE, IROM_WINDOW, SECTOR
from imgtool.formats import fill, lx106
from imgtool.formats.reading import FileKind, Finding, Part, PartKind, Reading, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.formats.reading import SegmentInfo
    from imgtool.formats.regions.nodemcu_page import RecordPage

__all__ = [
    "OFFSETS",
    "RBOOT_SLOT",
    "SLOTS",
    "Behind",
    "behind",
    "cover_finding",
    "linked_at",
    "linked_slot",
    "linked_user_slot",
    "parts_at",
    "read",
    "record_page",
]

OFFSETS: Final = (IROM_PLACE, 0x40000)
"""Flash offsets that irom is linked at: 0x10000, or 0x40000 before SDK 2.0 (never for NodeMCU)."""

SLOTS: Final = (0x1000, 0x41000, 0x81000)
"""Flash offsets of user images: user 1, and user 2 of 512 KB and of larger maps."""

RBOOT_SLOT: Final = 0x2000
"""Where rBoot's first ROM begins; a second one a MiB further on is linked for the same addresses."""

_OTA_HEADER: Final = 0x10
_PAGE: Final = 0x1000
_MOST_ID: Final = 6  # of a record in a NodeMCU record page
_ENOUGH_POINTERS: Final = 16
_ENOUGH_BEHIND: Final = 5
_ENOUGH_OF_ITS_OWN: Final = 25
_ROUND: Final = 0x100  # the low half of a word that is more often a number than an address
_RAM: Final = ("DRAM", "IRAM", "IRAM (cache)")
# Upper halves of numbers in the C library (2 * pi and the like), which recur between builds.
_NUMBERS: Final = frozenset(
    {
        0x4024_5450,
        0x4029_21FB,
        0x402C_2A70,
        0x402C_2A84,
        0x402C_463A,
        0x402C_BF60,
        0x402D_5200,
        0x402D_6200,
        0x402F_6A7A,
    }
)
# The right offset gives 21 to 83 % function starts on seven real parts, wrong ones at most 9 %.
_CLEAR_SHARE: Final = 0.15


def record_page(data: bytes, offset: int) -> RecordPage | None:
    """The NodeMCU >= 3.0 record page with which irom begins at ``offset``, None where it begins otherwise."""
    if not _may_be_page(data, offset):
        return None
    from imgtool.formats.regions import nodemcu_page  # noqa: PLC0415 - most firmware has none, see docs/performance.md

    return nodemcu_page.page_at(data, offset)


def _page_part(data: bytes, offset: int, address: int) -> Part | None:
    if not _may_be_page(data, offset):
        return None
    from imgtool.formats.regions import nodemcu_page  # noqa: PLC0415 - as above

    return nodemcu_page.part_at(data, offset, address)


def _may_be_page(data: bytes, offset: int) -> bool:
    # A record begins with its length, an id up to 6, and two zeros.
    head = data[offset : offset + 4]
    return head[2:] == b"\0\0" and head[1] <= _MOST_ID


def parts_at(data: bytes, offset: int, flash_offset: int) -> tuple[Part, ...]:
    """The irom part from ``offset`` to the end of the file, a NodeMCU record page at its start apart."""
    address = IROM_BASE + flash_offset
    page = _page_part(data, offset, address)
    if page is None:
        return (Part(PartKind.IROM, offset, len(data) - offset, address),)
    size = len(data) - page.end
    rest = Part(PartKind.IROM, page.end, size, address + page.size)
    return (page, rest) if size else (page,)


def linked_at(data: bytes) -> int | None:
    """The flash offset that irom was linked for by its pointers to itself; None if they do not tell."""
    return next((offset for offset in OFFSETS if _share_at(data, offset) >= _CLEAR_SHARE), None)


def linked_slot(data: bytes) -> int | None:
    """The user slot whose irom the bytes are by their pointers; None if they belong elsewhere."""
    slot = max(SLOTS, key=lambda slot: _share_at(data, slot + OFFSETS[0]))
    share = _share_at(data, slot + OFFSETS[0])
    return slot if share >= _CLEAR_SHARE and share > _share_at(data, OFFSETS[0]) else None


def linked_user_slot(data: bytes) -> int | None:
    """The slot of the version-2 image whose irom the bytes are, by their pointers; None if they do not tell.

    Such irom begins 16 bytes into the slot.
    """
    shares = {slot: _share_at(data, slot + _OTA_HEADER) for slot in (*SLOTS, RBOOT_SLOT)}
    slot = max(shares, key=lambda slot: shares[slot])
    return slot if shares[slot] >= _CLEAR_SHARE else None


def _share_at(data: bytes, flash_offset: int) -> float:
    """Which share of the pointers that irom would have at this offset to itself begins a function there."""
    base = IROM_BASE + flash_offset
    end = min(base + len(data), IROM_BASE + IROM_WINDOW)
    count, share = lx106.function_share(lx106.pointers(data, base, end), data, base)
    return share if count >= _ENOUGH_POINTERS else 0.0


def read(data: bytes) -> Reading | None:
    """Read a file as a raw irom part if it looks like lx106 code and nothing else has claimed it."""
    if fill.is_fill(data, 0, min(len(data), SECTOR)):  # what was read from a flash, and no build
        return None
    page = _page_part(data, 0, IROM_BASE + OFFSETS[0])
    if len(data) > IROM_WINDOW or (page is None and not lx106.looks_like_code(data)):
        return None
    linked = OFFSETS[0] if page is not None else linked_at(data)
    if linked is None:
        where = (
            "its pointers do not tell which flash offset it belongs to (0x10000, or 0x40000 before SDK 2.0)"
        )
    else:
        where = f"its pointers place it at flash offset 0x{linked:05x}"
    certainty = (
        "by its record page" if page is not None else "by elimination: it has no header, and it is lx106 code"
    )
    named = None if linked is None else behind(data, (), IROM_BASE + linked + len(data), code=0)
    findings = (
        Finding(Severity.NOTE, "irom-by-elimination", f"taken for a raw irom part {certainty}; {where}"),
        cover_finding(data, 0, OFFSETS[0], named),
    )
    return Reading(FileKind.IROM, parts_at(data, 0, linked or OFFSETS[0]), findings=findings)


class Behind(NamedTuple):
    """What code and data name of irom that the irom at hand does not have.

    Attributes:
        end: The address behind the irom at hand.
        named: The distinct addresses behind it that stand in RAM segments.
        own: Those that stand in the irom itself.
    """

    end: int
    named: frozenset[int] = frozenset()
    own: frozenset[int] = frozenset()

    @property
    def cut(self) -> bool:
        """Whether irom is longer; the figures are in docs/formats/irom.md."""
        return self._by_image or len(self.own) >= _ENOUGH_OF_ITS_OWN

    @property
    def _by_image(self) -> bool:
        return len(self.named) >= _ENOUGH_BEHIND

    @property
    def highest(self) -> int:
        """The highest address that is named."""
        telling = self.named if self._by_image else self.own
        return max(telling - _NUMBERS or telling, default=self.end)

    @property
    def words(self) -> str:
        """What is named and how much is missing at least."""
        who, count = ("the image", len(self.named)) if self._by_image else ("it", len(self.own))
        return (
            f"{who} names {count} addresses behind its end, up to 0x{self.highest:08x}: "
            f"at least {self.highest + 1 - self.end:,} bytes are missing"
        )


def behind(data: bytes, segments: Iterable[SegmentInfo], end: int, *, code: int | None = None) -> Behind:
    """What the RAM segments of an image, and its irom, name behind the end of that irom.

    No length and no checksum covers irom.  But code calls functions in it, by addresses in literals, and an
    address behind its end is code or data that should be there (docs/formats/irom.md has the figures).

    Args:
        data: The file with the image, or with irom.
        segments: The segments of the image, with offsets in that file.
        end: The address behind irom.
        code: Where irom begins in that file, to be asked too; None where it is not asked.
    """
    window = IROM_BASE + IROM_WINDOW
    if not IROM_BASE < end < window:
        return Behind(end)
    blocks = (data[s.offset : s.offset + s.size] for s in segments if s.memory in _RAM)
    words = frozenset().union(*(lx106.pointers(block, end, window, multiple=1) for block in blocks))
    own = frozenset() if code is None else lx106.pointers(data[code:], end, window)
    return Behind(end, _addresses(words), _addresses(own))


def _addresses(words: Iterable[int]) -> frozenset[int]:
    return frozenset(word for word in words if word & 0xFFFF >= _ROUND)


def _irom_end(data: bytes, offset: int) -> int | None:
    """The page-aligned flash offset behind irom that an unresolved table at ``offset`` states, else None."""
    page = record_page(data, offset)
    return None if page is None or page.table is None else page.table.irom_end


def cover_finding(data: bytes, offset: int, flash_offset: int, named: Behind | None = None) -> Finding:
    """What can be said about the irom part at ``offset`` of a file, which belongs to ``flash_offset``.

    A fresh NodeMCU >= 3.0 table holds the page-aligned end of irom.  Nothing else says how long irom is.

    Args:
        data: The file.
        offset: Where irom begins in it.
        flash_offset: Where irom begins in the flash.
        named: What the image that belongs to it names behind its end; None where there is no such image.
    """
    end = _irom_end(data, offset)
    if end is None:
        return _without_end(offset, len(data), named)
    place = end - flash_offset + offset
    if len(data) <= place - _PAGE:
        message = f"irom is cut short: its partition table says that it goes on to 0x{place:05x}"
        return Finding(Severity.ERROR, "cut", message, len(data))
    message = "no checksum covers irom: a changed byte in it cannot be seen; its length agrees with its table"
    return Finding(Severity.NOTE, "irom-uncovered", message, offset)


def _without_end(offset: int, size: int, named: Behind | None) -> Finding:
    """What can be said about irom that nothing tells the length of."""
    if named is None:
        message = "no length and no checksum covers irom: a cut or a changed byte in it cannot be seen"
        return Finding(Severity.NOTE, "irom-uncovered", message, offset)
    if named.cut:
        return Finding(Severity.ERROR, "cut", f"irom is cut short: {named.words}", size)
    message = "no checksum covers irom: a changed byte in it, or a small cut, cannot be seen"
    return Finding(Severity.NOTE, "irom-uncovered", message, offset)
