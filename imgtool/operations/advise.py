"""What an upgrade will do: the flash as it is, a new image, and what becomes of everything in it.

The write is planned as ``imgtool flash`` plans it and laid over the old flash in thought; the rules say what
the new firmware makes of that, and then once more for a tool that writes the same bytes as they are.  Nothing
is written.  The rules are in advise_files.py, advise_flash.py and advise_firmware.py.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, SECTOR, flash_size
from imgtool.errors import FormatError, ImgtoolError, LayoutError
from imgtool.formats import nodemcu_page
from imgtool.formats.nodemcu_page import Record, RecordPage
from imgtool.formats.reading import FileKind, PartKind, Severity
from imgtool.formats.spiffs import MAGIC_OFFSET, SpiffsSignature, magic_of
from imgtool.layout import align_up, layout_for, resolve
from imgtool.operations.advise_files import file_points
from imgtool.operations.advise_firmware import firmware_points, old_default
from imgtool.operations.advise_flash import (
    init_data_points,
    lfs_point,
    settings_point,
    size_points,
    wifi_point,
)
from imgtool.operations.advise_look import OldFlash, side_after, side_before
from imgtool.operations.advise_values import (
    HARM,
    AdvicePoint,
    AdviceVerdict,
    FirmwareAdvice,
    Names,
    Topic,
)
from imgtool.operations.boot_verdicts import Cure
from imgtool.operations.describe import describe
from imgtool.operations.device_settings import PAGE_ADDRESS
from imgtool.operations.extras import InitDataSource, check_layout_known, irom_end_of, table_of
from imgtool.operations.first_boot import filesystem_made, spiffs_block, spiffs_formula
from imgtool.operations.flash_checks import content_of
from imgtool.operations.flash_draft import FlashRequest, Target
from imgtool.operations.flash_plan import plan_flash
from imgtool.operations.merge import Piece, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.advise_look import Side
    from imgtool.operations.describe import Description
    from imgtool.operations.flash_plan import FlashPlan

__all__ = ["advise", "old_flash"]

_SIZES: Final = tuple(sorted({size.bytes for size in FLASH_SIZES}))
_NO_IMAGE: Final = (FileKind.FLASH_DUMP, FileKind.UNKNOWN, FileKind.BLANK)
_FROM_0: Final = (
    FileKind.AGGREGATED,
    FileKind.ARDUINO,
    FileKind.IMAGE_V1,
    FileKind.MICROPYTHON,
    FileKind.RBOOT,
    FileKind.RTOS_BOOTLOADER,
    FileKind.SDK_BOOTLOADER,
)
_ASSUMED: Final = (
    "OLD is an image, not a dump: its chip is taken for one that OLD was flashed to and that booted once; "
    "imgtool read makes a dump, which tells more"
)
_UNSEEN: Final = (
    "the rules were read in the firmware's sources; nobody has checked these verdicts on silicon for imgtool"
)
_OLD_IS: Final = "a dump of the flash, or the image for 0x00000"
_FIXED: Final = 0x10_0000
_TABLE_END: Final = 0x3000


def old_flash(data: bytes, capacity: int | None = None) -> OldFlash:
    """What a file says of the flash before an upgrade: a dump, or the image that was flashed.

    Args:
        data: The file.
        capacity: Bytes of the flash; None takes it from a dump.

    Raises:
        FormatError: It is neither a dump nor the image for address 0, or half of a pair.
        LayoutError: It is an image, or part of a dump, which does not tell the capacity; or longer than that.
    """
    found = describe(data)
    if capacity is not None and len(data) > capacity:
        raise LayoutError(
            "OLD is longer than the flash", expected=f"at most {capacity:,} bytes", found=f"{len(data):,}"
        )
    is_dump = _is_dump(data, found)
    if not is_dump and found.kind not in _FROM_0:  # such as a web page, init data, or a file system alone
        raise FormatError("OLD is neither a dump nor an image", expected=_OLD_IS, found=str(found.kind))
    if is_dump:
        stated = None if found.header is None else found.header.flash_size
        if capacity is None and stated is None and len(data) not in _SIZES:
            raise LayoutError(
                "OLD does not tell how large the flash is",
                expected="a flash size, or the dump of a whole flash",
                found=f"{len(data):,} bytes without an image header",
            )
        whole = len(data) in _SIZES and (stated is None or stated.bytes <= len(data))
        likely = len(data) if whole or stated is None else max(stated.bytes, len(data))
        return OldFlash.of_dump(data, capacity or likely, "flash-dump")
    if capacity is None:
        raise LayoutError(
            "OLD is an image, and does not tell how large the flash is",
            expected="a flash size, or a dump",
            found=str(found.kind),
        )
    if found.kind is FileKind.IMAGE_V1:
        check_layout_known(found, None)  # half of a pair says nothing of what is behind it
    flashed = _flashed(data, found, capacity)
    return replace(OldFlash.of_dump(flashed, capacity, str(found.kind)), assumed=True)


def _is_dump(data: bytes, found: Description) -> bool:
    if found.kind in _NO_IMAGE or len(data) in _SIZES:
        return True
    if found.kind not in _FROM_0:
        return False
    table = table_of(data, found)
    if table is not None:
        return table.resolved
    used = (PartKind.SPIFFS, PartKind.LITTLEFS, PartKind.INIT_DATA, PartKind.SYSTEM_PARAM)
    return any(part.kind in used for part in found.parts)


def _flashed(data: bytes, found: Description, capacity: int) -> bytes:
    """A flash that an image was written to and that booted once: with its table and its file system."""
    flash = bytearray(b"\xff") * capacity
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=capacity)
    request = FlashRequest((Piece(0, data, "OLD"),), init_data=InitDataSource())
    flash[: len(data)] = data
    try:
        plan = plan_flash(request, target, OldFlash.of_dump(b"", capacity, "").read)
    except ImgtoolError:
        return bytes(flash)
    for piece in plan.pieces:
        flash[piece.address : piece.end] = piece.data
    if plan.flash is None:
        return bytes(flash)
    table = table_of(data, found)
    end = irom_end_of(found)
    try:
        if table is not None:
            end = table.irom_end or end
            table = resolve(table, plan.flash.bytes, end)
            records = (
                Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(table)),
                Record(0, nodemcu_page.PHY_DATA_DONE, b""),
            )
            flash[PAGE_ADDRESS : PAGE_ADDRESS + SECTOR] = RecordPage(records).build()
        layout = layout_for(plan.flash, found.firmware, table, end)
    except LayoutError:
        return bytes(flash)
    region = filesystem_made(layout, found.firmware, end)
    formula = spiffs_formula(found.firmware, data)
    if region is not None and formula in ("linear", "old"):
        block = spiffs_block(region.size)
        signature = SpiffsSignature(block, region.size // block, formula)
        for number in range(signature.blocks):
            place = region.start + number * block + MAGIC_OFFSET
            flash[place : place + 2] = magic_of(signature, number)
    return bytes(flash)


def advise(
    old: OldFlash | bytes,
    new: bytes | Sequence[Piece] | FlashRequest,
    *,
    size: str | None = None,
    names: Names = Names(),  # noqa: B008 - a named tuple does not change
) -> FirmwareAdvice:
    """Say what an upgrade will do to what is in a flash.

    Args:
        old: The flash before: a dump, an image, or what :func:`old_flash` made of one.
        new: The new image: bytes for 0, or pieces with their addresses, or the whole request.
        size: Name of the flash's size, where ``old`` does not tell it.
        names: What to call things in the commands.

    Raises:
        LayoutError: ``old`` does not tell the capacity, or pieces overlap.
    """
    if isinstance(old, bytes):
        old = old_flash(old, None if size is None else flash_size(size).bytes)
    old = replace(old, read=cache(old.read)) if old.data is None else old
    if isinstance(new, bytes):
        new = [Piece(0, new, "NEW")]
    request = new if isinstance(new, FlashRequest) else FlashRequest(tuple(new), init_data=InitDataSource())
    return _Run(old, request, names).advice()


class _Run:
    """One advice: the flash before, the write as it is planned, and the points about what comes of it."""

    def __init__(self, old: OldFlash, request: FlashRequest, names: Names) -> None:
        self.old = old
        self.names = names
        self.request = request
        self.raw = lay_out(request.pieces) if request.pieces else ()
        self.content = content_of(self.raw, old.capacity)
        self.before = side_before(old)
        self.plan: FlashPlan | None = None
        self.refused: ImgtoolError | None = None
        model = "ESP8285" if old.embedded else "ESP8266EX"
        target = Target(model, old.embedded, "", b"", old.capacity)
        try:
            self.plan = plan_flash(request, target, old.read)
        except ImgtoolError as error:
            self.refused = error

    def advice(self) -> FirmwareAdvice:
        plan = self.plan
        same = plan is not None and self._same(plan)
        as_is = side_after(self.before, _sectors(self.raw, self.old), self.content)
        other = self._points(as_is)
        after = as_is if plan is None else side_after(self.before, plan.pieces, self.content)
        if same:
            after = replace(after, written=())  # imgtool flash leaves out what is there already
        points = other if plan is None else self._points(after)
        if same:
            points = [point for point in points if point.topic is not Topic.BUILDS or not point.ok]
        differs = [] if plan is None or plan.whole else _differing(points, other)
        if self.refused is not None:
            of_size = self.content.main is not None and self.refused.check in _OF_SIZE
            topic = Topic.FLASH_SIZE if of_size else Topic.BUILDS
            refusal = f"imgtool flash refuses it: {self.refused}"
            points = [AdvicePoint(topic, AdviceVerdict.REFUSED, refusal), *self._builds()]
            # Nothing is written: what would come of it is what another tool does, unless that is no firmware.
            differs = [] if self.refused.check in _NO_FIRMWARE or not self.raw else other
        return FirmwareAdvice(
            _sentence(points, same=same),
            self.before.firmware,
            after.firmware,
            self.old.kind,
            str(after.kind),
            self.old.capacity,
            None if after.flash is None else after.flash.name,
            tuple(points),
            _elsewhere(differs, as_is),
            tuple(differs),
            tuple(self._cures(points, after)),
            tuple(self._notes()),
        )

    def _same(self, plan: FlashPlan) -> bool:
        """Whether the flash holds already all that would be written."""
        if self.content.main is None or any(piece.end > self.old.size for piece in plan.pieces):
            return False
        sectors = (
            (piece.address + start, piece.data[start : start + SECTOR])
            for piece in plan.pieces
            for start in range(0, len(piece.data), SECTOR)
        )
        return all(self._is_there(address, data) for address, data in sectors)

    def _is_there(self, address: int, data: bytes) -> bool:
        held = self.before.code[address : address + len(data)]
        return (held if len(held) == len(data) else self.before.read(address, len(data))) == data

    def _points(self, after: Side) -> list[AdvicePoint]:
        before = self.before
        made = any(name == "@spiffs" for name, _ in self.request.named) or self._brings_files()
        optional = (
            lfs_point(before, after),
            settings_point(before, after),
            wifi_point(before, after),
        )
        return [
            *file_points(before, after, made=made),
            *(point for point in optional if point is not None),
            *init_data_points(before, after),
            *size_points(before, after),
            *self._mode(),
            *self._builds(),
            *firmware_points(before.firmware, after.firmware),
        ]

    def _brings_files(self) -> bool:
        kinds = (FileKind.SPIFFS, FileKind.LITTLEFS)
        if any(is_.kind in kinds for _, is_ in self.content.pieces):
            return True
        parts = () if self.content.main is None else self.content.main.parts
        return any(part.kind is PartKind.SPIFFS for part in parts)

    def _mode(self) -> list[AdvicePoint]:
        if self.plan is None:
            return []
        told = [f.message for f in self.plan.findings if f.code == "flash-mode"]
        return [AdvicePoint(Topic.FLASH_MODE, AdviceVerdict.KEPT, words) for words in told]

    def _builds(self) -> list[AdvicePoint]:
        """Damage, and halves of different builds: whatever speaks against the new image itself."""
        found = [] if self.content.main is None else list(self.content.main.findings)
        points = [
            AdvicePoint(Topic.BUILDS, AdviceVerdict.BOOT_LOOP, f"the two halves do not fit: {f.message}")
            for f in found
            if f.code == "mixed-builds"
        ]
        broken = next((f.message for f in found if f.severity is Severity.ERROR), None)
        if broken is not None and (self.refused is None or self.refused.check not in _NO_FIRMWARE):
            reason = f"the new image is damaged: {broken}"
            points.append(AdvicePoint(Topic.BUILDS, AdviceVerdict.REFUSED, reason))
        for piece, _ in self.content.pieces:
            if old_default(hashlib.md5(piece.data, usedforsecurity=False).hexdigest()):
                reason = "this is the firmware of 2015 that NodeMCU's Windows flasher writes by default"
                points.append(AdvicePoint(Topic.BUILDS, AdviceVerdict.CHANGED, reason))
        half = self._half()
        return [*points, AdvicePoint(Topic.BUILDS, AdviceVerdict.UNKNOWN, half)] if half else points

    def _half(self) -> str:
        """What is to be said of one half of a firmware, which goes with the other half of the old one."""
        main = self.content.main
        if self.plan is None or main is None or self._same(self.plan):
            return ""
        missing = {FileKind.IMAGE_V1: "0x10000.bin", FileKind.IROM: "0x00000.bin"}.get(main.kind)
        if missing is None or (main.kind is FileKind.IMAGE_V1 and main.parts[-1].kind is PartKind.UNKNOWN):
            return ""
        return f"half of a firmware: {missing} stays that of OLD, and starts with its own build alone"

    def _notes(self) -> list[str]:
        notes = [_ASSUMED] if self.old.assumed else []
        if self.old.size < self.old.capacity:
            notes.append(
                f"OLD has {self.old.size:,} bytes of a flash of {self.old.capacity:,}; "
                "what is behind is not known"
            )
        if self.plan is not None:
            told = ("old-nodemcu-size", "size-limited", "sdk-3-layout", "settings-replaced", "table-small")
            notes += [f.message for f in self.plan.findings if f.code in told]
        return [*notes, _UNSEEN]

    def _cures(self, points: list[AdvicePoint], after: Side) -> list[Cure]:
        new, backup, port = self.names
        by_topic = {point.topic: point.verdict for point in reversed(points)}
        cures: list[Cure] = []
        if any(not point.ok for point in points):
            text = "Back the whole flash up first."
            cures.append(Cure(text, (f"imgtool read {port}-o {backup}",)))
        if by_topic.get(Topic.FILES) in HARM and self.before.filesystems:
            text = "Take the files out of the backup, to have them when they are gone."
            cures.append(Cure(text, (f"imgtool extract {backup} --files -o files",)))
            cures += self._fixed_place(after)
        if any(point.verdict is AdviceVerdict.REFUSED for point in points):
            named = [piece for _, piece in self.request.named]
            first = shlex.quote(next((p.name for p in (*self.request.pieces, *named)), new))
            cures.append(Cure("See what speaks against the image.", (f"imgtool inspect {first}",)))
        elif by_topic.get(Topic.INIT_DATA) is AdviceVerdict.BOOT_LOOP:
            text = "Write init data with the firmware, or it does not start."
            cures.append(Cure(text, (f"imgtool flash {port}--init-data v05 {new}",)))
        else:
            cures.append(Cure("Flash it.", (f"imgtool flash {port}{new}",)))
        return cures

    def _fixed_place(self, after: Side) -> list[Cure]:
        if not after.partitions or after.flash is None or after.flash.bytes <= _FIXED:
            return []
        brings_table = self.content.main is not None and self.content.main.kind is FileKind.AGGREGATED
        if not brings_table or not after.hit(PAGE_ADDRESS, PAGE_ADDRESS + SECTOR):
            return []
        region = None if after.layout is None else after.layout.find(PartKind.SPIFFS)
        if len(self.request.pieces) != 1 or region is None or region.start >= _FIXED:
            return []
        size = after.flash.bytes - _FIXED - _TABLE_END
        made = (
            f"imgtool patch {self.names.new} --flash-size {after.flash.name} --spiffs-addr 0x{_FIXED:x} "
            f"--spiffs-size 0x{size:x} -o fixed.bin"
        )
        fresh = "--fresh-settings " if self.before.partitions else ""
        text = "Or make its SPIFFS begin at 1 MB: there it stays where it is in later upgrades."
        return [Cure(text, (made, f"imgtool flash {self.names.port}{fresh}fixed.bin"))]


def _sectors(pieces: Sequence[Piece], old: OldFlash) -> tuple[Piece, ...]:
    """The pieces as a tool leaves them that erases the sectors it needs, cut at the end of the flash."""
    whole = []
    for piece in pieces:
        room = max(0, old.capacity - piece.address)
        data = piece.data[:room]
        if data:
            size = min(align_up(len(data), SECTOR), room)
            whole.append(Piece(piece.address, data.ljust(size, b"\xff"), piece.name))
    return tuple(whole)


# Words.

_WORDS: Final = {
    (Topic.FILES, AdviceVerdict.KEPT): "files stay",
    (Topic.FILES, AdviceVerdict.FORMATTED): "the file system is formatted",
    (Topic.FILES, AdviceVerdict.OVERWRITTEN): "files are written over",
    (Topic.FILES, AdviceVerdict.LOST): "files are lost",
    (Topic.FILES, AdviceVerdict.UNKNOWN): "what becomes of files is not known",
    (Topic.LFS, AdviceVerdict.KEPT): "LFS stays",
    (Topic.LFS, AdviceVerdict.LOST): "LFS is lost",
    (Topic.LFS, AdviceVerdict.UNKNOWN): "what becomes of LFS is not known",
    (Topic.SETTINGS, AdviceVerdict.KEPT): "settings stay",
    (Topic.SETTINGS, AdviceVerdict.LOST): "partition table and start-up settings are lost",
    (Topic.SETTINGS, AdviceVerdict.CHANGED): "the partition table is a new one",
    (Topic.INIT_DATA, AdviceVerdict.KEPT): "init data stays",
    (Topic.INIT_DATA, AdviceVerdict.REWRITTEN): "init data is written anew",
    (Topic.INIT_DATA, AdviceVerdict.BOOT_LOOP): "the firmware does not start without init data",
    (Topic.INIT_DATA, AdviceVerdict.UNKNOWN): "what becomes of init data is not known",
    (Topic.FLASH_SIZE, AdviceVerdict.REFUSED): "it is not for this flash",
    (Topic.BUILDS, AdviceVerdict.BOOT_LOOP): "the new image is of two builds and will not run",
    (Topic.BUILDS, AdviceVerdict.REFUSED): "the new image cannot be written",
    (Topic.BUILDS, AdviceVerdict.UNKNOWN): "half of the firmware stays the old one",
    (Topic.MODULES, AdviceVerdict.LOST): "modules are missing",
    (Topic.SSL, AdviceVerdict.LOST): "SSL is lost",
}
_FIRST: Final = (AdviceVerdict.REFUSED, AdviceVerdict.BOOT_LOOP)


def _sentence(points: Sequence[AdvicePoint], *, same: bool) -> str:
    if same and all(point.ok for point in points):
        return "Nothing changes: the flash holds this firmware already, and everything stays."
    ordered = sorted(points, key=lambda point: point.verdict not in _FIRST)
    words = _phrases(ordered)
    if not words:
        return "Nothing that imgtool knows of is lost."
    text = ", ".join(words)
    return f"{text[0].upper()}{text[1:]}."


def _phrases(points: Sequence[AdvicePoint]) -> list[str]:
    return list(dict.fromkeys(_WORDS[p.topic, p.verdict] for p in points if (p.topic, p.verdict) in _WORDS))


_NO_FIRMWARE: Final = ("chip", "place")
_OF_SIZE: Final = ("fit", "size", None)


_STOPS: Final = (Topic.FLASH_SIZE, AdviceVerdict.REFUSED)
_COMPARED: Final = (Topic.FILES, Topic.LFS, Topic.SETTINGS, Topic.INIT_DATA, Topic.RF_CAL, Topic.FLASH_SIZE)


def _differing(points: Sequence[AdvicePoint], other: Sequence[AdvicePoint]) -> list[AdvicePoint]:
    """The points of the other tool that come out otherwise."""
    ours = {point.topic: point.verdict for point in reversed(points)}
    theirs = {point.topic: point for point in reversed(other)}
    return [
        theirs[topic]
        for topic in _COMPARED
        if topic in theirs and theirs[topic].verdict is not ours.get(topic)
    ]


def _elsewhere(differs: Sequence[AdvicePoint], as_is: Side) -> str:
    """What differs where another tool writes the same bytes, in a sentence."""
    stops = next((p.reason for p in differs if (p.topic, p.verdict) == _STOPS), "")
    if stops:
        return f"Another tool, such as esptool, would write it, and it would not start: {stops}."
    words = _phrases(differs)
    for point in differs:
        if point.topic is Topic.RF_CAL:
            words.append("RF calibration is made anew")
        if point.topic is Topic.FLASH_SIZE and point.verdict is AdviceVerdict.CHANGED and as_is.flash:
            words.append(f"the header says {as_is.flash.name}")
    if not words:
        return ""
    return f"With another tool, such as esptool, that writes the files as they are: {', '.join(words)}."
