"""What speaks against writing an image: damage, another chip, the wrong place, no room.

Each check has a name, and whoever knows better can waive it by that name; what is impossible has no name and
cannot be waived.  Not the plan itself: that is plan.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats import fill
from imgtool.formats.containers.lfs import LfsImage
from imgtool.formats.images import irom
from imgtool.formats.images.version1 import MAGIC
from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.operations.assemble.merge import Piece, check_start, image_at_start, join
from imgtool.operations.inspect.describe import Description, describe
from imgtool.phrase import Phrase
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.layout.regions import FlashLayout, Region

__all__ = [
    "CHECKS",
    "FlashContent",
    "check_contents",
    "check_init_place",
    "check_reserved",
    "check_room",
    "content_of",
    "waive",
]

CHECKS: Final = {
    "chip": "an image for another chip, or no image at all",
    "damaged": "an image that is cut, or has a wrong checksum",
    "fit": "an image that does not fit beside what the firmware keeps, or states more flash than there is",
    "mode": "an image with the wrong flash mode for an ESP8285, which cannot be changed",
    "place": "an image at an address where it does not belong",
    "sector": "bytes of a sector that would be lost, as the flash cannot be read",
    "size": "an image header with the wrong size, which cannot be changed",
}
"""The checks that can be waived, by name, and what each refuses."""

# What a file is for people, for kinds that no flash holds.
_NO_FLASH_CONTENT: Final = {
    FileKind.ELF: "an ELF file, which is to be built into an image first",
    FileKind.INTEL_HEX: "an Intel HEX file, of which only the bytes inside go to the flash",
    FileKind.S_RECORD: "an S-record file, of which only the bytes inside go to the flash",
    FileKind.UF2: "a UF2 file, of which only the bytes inside go to the flash",
    FileKind.TUYA_OTA: "a Tuya OTA file, which its own boot loader unpacks",
    FileKind.ESP32: "an image for another chip",
}
_NO_IMAGE: Final = {
    FileKind.TEXT: "text",
    FileKind.GZIP: "a gzip file, which is to be unpacked first",
    FileKind.BLANK: "nothing but erased flash",
    FileKind.UNKNOWN: "no image that the boot ROM loads",
}
# What begins with an image for address 0, and starts from nowhere else.
_ONLY_AT_START: Final = (
    FileKind.AGGREGATED,
    FileKind.ARDUINO,
    FileKind.FLASH_DUMP,
    FileKind.MICROPYTHON,
    FileKind.RBOOT,
    FileKind.RTOS_BOOTLOADER,
    FileKind.SDK_BOOTLOADER,
)
# What never stands at address 0, and where it belongs.
_NEVER_AT_START: Final = {
    FileKind.AT_USER: "0x01000, behind a boot loader",
    FileKind.ESPFS: "the address that the firmware was built for",
    FileKind.IMAGE_V2: "0x01000 or another slot, behind a boot loader",
    FileKind.INIT_DATA: "the place of init data, by name @init-data",
    FileKind.LFS: "the LFS partition, by name @lfs",
    FileKind.LITTLEFS: "the place of the file system",
    FileKind.PARTITION_TABLE: "0x08000",
    FileKind.RBOOT_CONFIG: "0x01000",
    FileKind.RTOS_APP: "0x10000 or another partition, behind a boot loader",
    FileKind.SPIFFS: "the place of the file system, by name @spiffs",
}
# What stands behind an image at 0 and belongs to the same firmware.
_OF_FIRMWARE: Final = (
    FileKind.IROM,
    FileKind.IMAGE_V1,
    FileKind.IMAGE_V2,
    FileKind.PARTITION_TABLE,
    FileKind.RBOOT_CONFIG,
    FileKind.RTOS_APP,
)
_SDKS_OWN: Final = (PartKind.RF_CAL, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)
_CODE: Final = 0x1_0000


class FlashContent(NamedTuple):
    """What is to be written, described.

    Attributes:
        pieces: Each piece with its description, in address order.
        start: Flash address of the firmware.
        data: The firmware's bytes, all of its pieces joined; empty where there is none.
        main: Their description; None where there is no firmware.
        dump: Whether it is the image of a whole flash, to be written as it is.
    """

    pieces: tuple[tuple[Piece, Description], ...]
    start: int = 0
    data: bytes = b""
    main: Description | None = None
    dump: bool = False

    @property
    def boots(self) -> bool:
        """Whether an image with a header stands at address 0."""
        if self.main is None or self.main.header is None:
            return False
        return self.start == 0 and self.data[0] == MAGIC

    @property
    def name(self) -> str:
        """What to call the firmware."""
        return next((p.name for p, _ in self.pieces if p.address == self.start), "")


def content_of(pieces: Sequence[Piece], capacity: int | None) -> FlashContent:
    """What the pieces are, one by one and as the firmware that some of them make up together.

    Args:
        pieces: In address order, none overlapping.
        capacity: Bytes of the chip's flash: a file as long as that is an image of it, whatever it holds.
    """
    each = tuple((piece, describe(piece.data)) for piece in pieces)
    if not each:
        return FlashContent(())
    first, first_is = each[0]
    if first.address == 0:
        whole = len(first.data) == capacity and first_is.kind in (FileKind.UNKNOWN, FileKind.BLANK)
        if first_is.kind is FileKind.FLASH_DUMP or whole:
            return FlashContent(each, 0, first.data, first_is, dump=True)
        own = [first, *(p for p, is_ in each[1:] if is_.kind in _OF_FIRMWARE)]
        data = join(own, own[-1].end, 0xFF)
        return FlashContent(each, 0, data, first_is if len(own) == 1 else describe(data))
    for piece, is_ in each:
        if piece.address == _CODE and is_.kind is FileKind.IROM:
            return FlashContent(each, _CODE, piece.data, is_)
    return FlashContent(each)


def waive(error: ImgtoolError, check: str, force: frozenset[str]) -> Finding:
    """Refuse by a check, or turn the refusal into a warning where that check is waived.

    Raises:
        ImgtoolError: The error itself, with the name of the check, if it is not waived.
    """
    error.check = check
    if check not in force:
        raise error
    message = Phrase(f"in spite of check {check}: ", error.phrase)
    return Finding(Severity.WARNING, f"forced-{check}", message, error.offset)


def check_contents(content: FlashContent, force: frozenset[str]) -> list[Finding]:
    """Refuse what is for another chip, stands where it does not belong, or is damaged.

    Raises:
        FormatError: Checks ``chip`` and ``damaged``.
        LayoutError: Checks ``place`` and ``fit``.
    """
    findings: list[Finding] = []
    for piece, is_ in content.pieces:
        error = _of_chip(piece, is_, dump=content.dump)
        if error is not None:
            findings.append(waive(error, "chip", force))
            continue
        misplaced = _of_place(piece, is_)
        if misplaced is not None:
            findings.append(waive(misplaced, "place", force))
    if not findings:  # of what is none of ours, damage says nothing
        findings += _damage(content, force)
    return findings


def _of_chip(piece: Piece, is_: Description, *, dump: bool) -> FormatError | None:
    what = _NO_FLASH_CONTENT.get(is_.kind)
    if what is not None and is_.kind is FileKind.ESP32:
        what = is_.findings[0].message if is_.findings else what
    if what is None and piece.address == 0 and not dump:
        what = _NO_IMAGE.get(is_.kind)
    if what is None:
        return None
    message = "this is not for the flash of an ESP8266" if piece.address else "the chip cannot boot from this"
    return FormatError(
        message, source=piece.name, offset=0, expected="an ESP8266 image", found=f"{is_.kind}: {what}"
    )


def _of_place(piece: Piece, is_: Description) -> LayoutError | None:
    where: str | None = None
    if piece.address == 0:
        where = _linked_words(piece) if is_.kind is FileKind.IROM else _NEVER_AT_START.get(is_.kind)
    elif is_.kind in _ONLY_AT_START:
        where = "0x00000"
    elif is_.kind is FileKind.LFS and not _stands(piece):
        where = "the LFS partition, by name @lfs, for which it is relocated"
    elif is_.kind is FileKind.IROM:
        linked = _linked(piece.data)
        where = None if linked in (None, piece.address) else f"0x{linked:05x}, for which it is linked"
    if where is None:
        return None
    return LayoutError(
        f"{is_.kind} does not belong at that address",
        source=piece.name,
        expected=where,
        found=f"0x{piece.address:05x}",
    )


def _stands(piece: Piece) -> bool:
    """Whether an LFS image can be used at its address as it is; what was read from a flash can."""
    try:
        image = LfsImage.parse(piece.data)
    except FormatError:
        return True
    try:
        return image.absolute and bool(image.at(piece.address))
    except FormatError:
        return False


def _linked_words(piece: Piece) -> str:
    linked = _linked(piece.data)
    return "the address it is linked for, mostly 0x10000" if linked is None else f"0x{linked:05x}"


def _linked(data: bytes) -> int | None:
    """The flash offset that irom is linked for; None where its pointers do not tell."""
    if irom.record_page(data, 0) is not None:
        return _CODE
    linked = irom.linked_at(data)
    # Code of a user slot has pointers that look like code of 0x10000 too.
    return None if linked is None or irom.linked_slot(data) is not None else linked


def _damage(content: FlashContent, force: frozenset[str]) -> list[Finding]:
    findings: list[Finding] = []
    for piece, is_ in content.pieces:
        broken = next((f for f in is_.findings if f.severity is Severity.ERROR), None)
        if broken is not None and content.dump and piece.address == 0:
            findings.append(_of_dump(piece, broken, force))
        elif broken is not None and not (is_.foreign and piece.address):  # what is no image may be data
            error = FormatError(broken.message, source=piece.name, offset=broken.offset)
            findings.append(waive(error, "damaged", force))
    if findings or content.main is None or content.start or content.dump:
        return findings
    ordered = [piece for piece, _ in content.pieces]
    try:
        # That no image stands at 0 has been said.
        return [finding for finding in check_start(ordered) if finding.code != "no-image"]
    except FormatError as error:
        return [waive(error, "damaged", force)]
    except LayoutError as error:
        return [waive(error, "fit", force)]


def _of_dump(piece: Piece, broken: Finding, force: frozenset[str]) -> Finding:
    """Damage in an image of a whole flash: what the chip boots from must be whole, the rest is its own."""
    try:
        image_at_start(piece)
    except FormatError as error:
        return waive(error, "damaged", force)
    return Finding(Severity.WARNING, f"dump-{broken.code}", broken.message, broken.offset)


def check_room(pieces: Sequence[Piece], capacity: int | None, force: frozenset[str]) -> list[Finding]:
    """Nothing leaves the flash of the chip; that cannot be waived.

    Raises:
        LayoutError: A piece goes beyond the end.
    """
    if capacity is None:
        message = "the capacity of the flash is not known: whether the image fits was not checked"
        return [Finding(Severity.WARNING, "capacity-unknown", message)]
    for piece in pieces:
        if piece.end > capacity:
            vain = ", whatever check is waived: the bytes have no place" if "fit" in force else ""
            raise LayoutError(
                f"it goes beyond the end of the flash{vain}",
                source=piece.name,
                offset=capacity,
                expected=f"its end at or below 0x{capacity:06x}",
                found=f"0x{piece.end:06x}, {in_bytes(piece.end - capacity)} too many",
            )
    return []


def check_init_place(content: FlashContent, place: int, force: frozenset[str]) -> list[Finding]:
    """Init data with an address goes where this firmware looks for it.

    Args:
        content: What is written.
        place: Flash address at which the firmware reads init data.
        force: The checks that are waived.

    Raises:
        LayoutError: Check ``place``.
    """
    findings: list[Finding] = []
    for piece, is_ in content.pieces:
        if is_.kind is FileKind.INIT_DATA and piece.address not in (0, place):
            error = LayoutError(
                "this firmware looks for init data elsewhere",
                source=piece.name,
                expected=f"0x{place:06x}",
                found=f"0x{piece.address:06x}",
            )
            findings.append(waive(error, "place", force))
    return findings


def check_reserved(
    content: FlashContent, layout: FlashLayout, irom_end: int, force: frozenset[str]
) -> list[Finding]:
    """The firmware, and what else has an address, stay out of what the firmware's layout reserves.

    Args:
        content: What is written.
        layout: The flash, as the firmware will use it.
        irom_end: Flash address behind the firmware.
        force: The checks that are waived.

    Raises:
        LayoutError: Check ``fit``.
    """
    findings: list[Finding] = []
    for region in layout.regions:
        if content.main is not None and _CODE <= region.start < irom_end:
            error = _reaches(content.name, irom_end, region, region.start)
            findings.append(waive(error, "fit", force))
            break
    for piece, is_ in content.pieces:
        if is_.kind in _OF_FIRMWARE or is_.kind in (FileKind.INIT_DATA, FileKind.BLANK) or piece.address == 0:
            continue
        if any(piece.address == region.start for region in layout.regions):
            continue  # it is meant for there, such as a backup of these sectors
        for region in layout.regions:
            start, stop = max(piece.address, region.start), min(piece.end, region.end)
            block = piece.data[start - piece.address : stop - piece.address]
            if region.kind in _SDKS_OWN and start < stop and not fill.is_fill(block, 0, len(block)):
                findings.append(waive(_reaches(piece.name, piece.end, region, start), "fit", force))
                break
    return findings


def _reaches(name: str, end: int, region: Region, start: int) -> LayoutError:
    return LayoutError(
        f"it reaches into {region.name} (0x{region.start:06x} to 0x{region.end - 1:06x}) "
        f"by {in_bytes(min(end, region.end) - start)}",
        source=name,
        offset=start,
        expected=f"its end at or below 0x{region.start:06x}",
        found=f"0x{end:06x}",
    )
