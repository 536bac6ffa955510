"""What ``imgtool flash`` says of an upgrade before it writes: only what is lost, or needs patience.

The rules are those of ``imgtool advise`` (upgrade/files.py, upgrade/regions.py), asked about what a few reads
of some bytes show: the record page, and the magics where the new firmware looks for files.  Which firmware is
on the device is not looked for, as that takes seconds on the line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.formats.reading import FileKind, Finding, PartKind, Severity
from imgtool.formats.regions import nodemcu_page
from imgtool.layout.first_boot import filesystem_made, is_old_nodemcu
from imgtool.layout.regions import FlashLayout, table_regions
from imgtool.operations.inspect.device_settings import (
    PAGE_ADDRESS,
    device_header,
    device_page,
    spiffs_on,
    spiffs_start,
)
from imgtool.operations.upgrade.files import file_points
from imgtool.operations.upgrade.look import overlaid
from imgtool.operations.upgrade.mount import mounted
from imgtool.operations.upgrade.regions import lfs_point, settings_point
from imgtool.operations.upgrade.side import FlashSide, FoundFileSystem
from imgtool.operations.upgrade.values import AdviceVerdict, Topic

if TYPE_CHECKING:
    from imgtool.formats.regions.nodemcu_page import RecordPage
    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.flashing.draft import Device, Draft, Place
    from imgtool.operations.inspect.device_settings import Reader
    from imgtool.operations.upgrade.values import AdvicePoint

__all__ = ["upgrade_findings"]

_SAID: Final = {
    Topic.FILES: ("files", "files"),
    Topic.LFS: ("lfs", "LFS"),
    Topic.SETTINGS: ("settings", "settings"),
    Topic.FIRST_BOOT: ("first-boot", "first boot"),
}
_STEP: Final = 0x100
_FREE: Final = b"\xff" * 8  # behind the last record, and where no file system was ever used
_ELSEWHERE: Final = "; files that stand elsewhere were not looked for, and are not found by it either"
_LOST: Final = (AdviceVerdict.FORMATTED, AdviceVerdict.OVERWRITTEN, AdviceVerdict.LOST)


def upgrade_findings(draft: Draft, place: Place, content: FlashContent, device: Device) -> list[Finding]:
    """What is to be said of files, LFS and settings on a device that NodeMCU is written to.

    Args:
        draft: What will be written.
        place: The layout of the new firmware.
        content: The new firmware.
        device: The device.
    """
    main = content.main
    if device.read is None or device.erased or content.dump or main is None or main.firmware is None:
        return []
    if main.firmware.name != "NodeMCU" or place.page is not None:
        return []  # with the device's own page everything stays where it is
    before = _before(device.read, device, place)
    new = device_page(overlaid(device.read, draft.pieces))
    after = replace(
        before,
        read=overlaid(device.read, draft.pieces),
        kind=main.kind,
        firmware=main.firmware,
        irom_end=place.irom_end,
        layout=place.layout,
        page=None if new is None else new[1],
        boot=content.data[:PAGE_ADDRESS] if content.start == 0 else b"",
        written=tuple((piece.address, piece.end) for piece in draft.pieces),
    )
    before = replace(before, filesystems=_filesystems(before, after))
    lfs, settings = lfs_point(before, after), settings_point(before, after)
    points = [point for point in (lfs, settings) if point is not None]
    if not any(is_.kind in (FileKind.SPIFFS, FileKind.LITTLEFS) for _, is_ in content.pieces):
        points += [
            point for point in file_points(before, after, made=False) if _is_told(point, before, after)
        ]
    told = {finding.code for finding in draft.findings}
    if "filesystem-overwritten" in told:
        points = [point for point in points if point.verdict is not AdviceVerdict.OVERWRITTEN]
    if "settings-replaced" in told:
        points = [point for point in points if point.topic is not Topic.SETTINGS]
    lost = any(point.topic is Topic.FILES and point.verdict in _LOST for point in points)
    unseen = "" if lost or before.header is None or before.filesystems else _ELSEWHERE
    return [
        _finding(point, unseen if point.topic is Topic.FIRST_BOOT else "")
        for point in points
        if point.verdict in _LOST or point.topic is Topic.FIRST_BOOT
    ]


def _is_told(point: AdvicePoint, before: FlashSide, after: FlashSide) -> bool:
    """Whether a point about files may be said: a SPIFFS without magics, which may be kept, is not seen."""
    if point.topic is not Topic.FIRST_BOOT or after.layout is None or not is_old_nodemcu(after.firmware):
        return True
    if before.header is None or before.page is not None:  # no old NodeMCU has run here last
        return True
    made = filesystem_made(after.layout, after.firmware, after.irom_end)
    return made is None or after.read(made.start, len(_FREE)) == _FREE


def _finding(point: AdvicePoint, more: str) -> Finding:
    code, words = _SAID[point.topic]
    lost = point.verdict in _LOST
    verdict = f"{code}-{point.verdict}" if lost else code
    severity = Severity.WARNING if lost else Severity.NOTE
    told = f"{words} {point.verdict}" if lost else words
    return Finding(severity, verdict, f"{told}: {point.reason}{more}")


def _before(read: Reader, device: Device, place: Place) -> FlashSide:
    """The device as far as its record page shows it; nothing is known of its firmware."""
    page = _page(read, place)
    layout = None
    if page is not None and page.table is not None and page.table.resolved:
        layout = FlashLayout(place.layout.flash, table_regions(page.table), "the device's partition table")
    else:
        page = None
    capacity = device.target.flash_bytes or place.layout.flash.bytes
    return FlashSide(
        read=read,
        size=capacity,
        capacity=capacity,
        kind=FileKind.UNKNOWN,
        firmware=None,
        header=device_header(read),
        flash=place.layout.flash,
        irom_end=0,
        page=page,
        boot=b"",
        layout=layout,
    )


def _page(read: Reader, place: Place) -> RecordPage | None:
    """The record page of the device, of which mostly a few hundred bytes are written."""
    if place.layout.find(PartKind.SPIFFS) is not None:  # the plan has read all of it, to keep it
        held = device_page(read)
        return None if held is None else held[1]
    if read(PAGE_ADDRESS + 2, 2) != b"\0\0":
        return None
    block = b""
    while len(block) < nodemcu_page.PAGE_SIZE and not block.endswith(_FREE):
        block += read(PAGE_ADDRESS + len(block), _STEP)
    return nodemcu_page.page_at(block.ljust(nodemcu_page.PAGE_SIZE, b"\xff"), 0)


def _filesystems(before: FlashSide, after: FlashSide) -> tuple[FoundFileSystem, ...]:
    """The file system of the device's table; without a table one where the new firmware looks."""
    region = None if before.layout is None else before.layout.find(PartKind.SPIFFS)
    if region is not None:
        signature = spiffs_on(before.read, region.start)
        if signature is None:
            return ()
        return (
            FoundFileSystem(
                PartKind.SPIFFS, region.start, signature.size, signature.block_size, signature.formula
            ),
        )
    if is_old_nodemcu(after.firmware):
        return ()
    found = mounted(replace(after, read=before.read), None)
    if found is None:
        return ()
    # What was hit may lie in the middle of one.
    start = spiffs_start(before.read, found.start, found.block, found.size // found.block)
    return (found._replace(start=start, size=found.end - start),)
