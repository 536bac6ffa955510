"""What an upgrade will do: the flash as it is, a new image, and what becomes of everything in it.

The write is planned as ``imgtool flash`` plans it and laid over the old flash in thought; the rules say what
the new firmware makes of that, and then once more for a tool that writes the same bytes as they are.  Nothing
is written.  The rules are in upgrade/files.py, upgrade/regions.py and upgrade/scripts.py, the sentences in
upgrade/words.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.chip import SECTOR
from imgtool.errors import ImgtoolError
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind, Severity
from imgtool.formats.regions.nodemcu_page import PAGE_ADDRESS
from imgtool.layout.regions import align_up
from imgtool.operations import actions
from imgtool.operations.actions import Cure, FileRole, Stretch, cure
from imgtool.operations.assemble.joining import lay_out
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.checks import content_of
from imgtool.operations.flashing.draft import Target
from imgtool.operations.flashing.losses import brings_files, changed, is_there, with_files_kept
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.inspect.device_settings import remembered
from imgtool.operations.upgrade.look import side_after, side_before
from imgtool.operations.upgrade.regions import init_data_points, size_points
from imgtool.operations.upgrade.scripts import firmware_points, old_default
from imgtool.operations.upgrade.side import OldFlash
from imgtool.operations.upgrade.stakes import points_at_stake, with_others, without_harm
from imgtool.operations.upgrade.values import HARM, AdvicePoint, AdviceVerdict, FirmwareAdvice, Topic
from imgtool.operations.upgrade.words import differing, elsewhere_words, sentence_of
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.actions import Cure
    from imgtool.operations.files.carry import FilesPlan
    from imgtool.operations.flashing.draft import PlanRequest
    from imgtool.operations.flashing.plan import Compare, FlashPlan
    from imgtool.operations.upgrade.side import FlashSide

__all__ = ["Judgement", "judge"]

_ASSUMED: Final = (
    "OLD is an image, not a dump: its chip is taken for one that OLD was flashed to and that booted once; "
    "a dump of the chip tells more"
)
_UNSEEN: Final = (
    "the rules were read in the firmware's sources; nobody has checked these verdicts on silicon for imgtool"
)
_NO_FIRMWARE: Final = ("chip", "place")
_OF_SIZE: Final = ("fit", "size", None)
_FIXED: Final = 0x10_0000
_TABLE_END: Final = 0x3000


class Judgement(NamedTuple):
    """An advice, and the plan of the write that it is about; None where that is refused."""

    advice: FirmwareAdvice
    plan: FlashPlan | None


def judge(old: OldFlash, request: PlanRequest, compare: Compare | None = None) -> Judgement:
    """Say what an upgrade will do to what is in a flash, with the plan that ``imgtool flash`` would make.

    Args:
        old: The flash before.
        request: What is to be written.
        compare: Finds out what is there already; None to read it.

    Raises:
        LayoutError: Pieces overlap.
    """
    old = replace(old, read=remembered(old.read))
    upgrade = _Advice(old, request, compare)
    return Judgement(upgrade.advice(), upgrade.plan)


class _Advice:
    """One advice: the flash before, the write as it is planned, and the points about what comes of it."""

    def __init__(self, old: OldFlash, request: PlanRequest, compare: Compare | None) -> None:
        self.old = old
        self.request = request
        self.raw = lay_out(request.pieces) if request.pieces else ()
        self.content = content_of(self.raw, old.capacity)
        self.before = side_before(old)
        self.plan: FlashPlan | None = None
        self.refused: ImgtoolError | None = None
        model = "ESP8285" if old.embedded else "ESP8266EX"
        target = Target(model, old.embedded, "", b"", old.capacity)
        try:
            self.plan = plan_flash(request, target, old.read, compare or self._right)
        except ImgtoolError as error:
            self.refused = error

    def advice(self) -> FirmwareAdvice:
        plan = self.plan
        same = plan is not None and self._same(plan)
        as_is = self._after(_sectors(self.raw, self.old))
        other = self._points(as_is, None)
        after = as_is if plan is None else self._after(plan.pieces)
        if plan is not None:  # imgtool flash leaves out what is there already
            after = replace(after, written=changed(plan.pieces, plan.right))
        points = other if plan is None else with_others(self._points(after, plan.files), plan.losses)
        if plan is not None and is_there(plan.pieces, plan.right):
            points = without_harm(points)
        if same:
            points = [point for point in points if point.topic is not Topic.BUILDS or not point.ok]
        differs = [] if plan is None or plan.whole else differing(points, other)
        if self.refused is not None:
            of_size = self.content.main is not None and self.refused.check in _OF_SIZE
            topic = Topic.FLASH_SIZE if of_size else Topic.BUILDS
            refusal = Phrase("imgtool refuses to write it: ", self.refused.phrase)
            points = [AdvicePoint(topic, AdviceVerdict.REFUSED, refusal), *self._builds()]
            # Nothing is written: what would come of it is what another tool does, unless that is no firmware.
            differs = [] if self.refused.check in _NO_FIRMWARE or not self.raw else other
        return FirmwareAdvice(
            sentence=sentence_of(points, same=same),
            old=self.before.firmware,
            new=after.firmware,
            old_kind=self.old.kind,
            new_kind=str(after.kind),
            flash_bytes=self.old.capacity,
            flash_size=None if after.flash is None else after.flash.name,
            points=tuple(points),
            elsewhere=elsewhere_words(differs, as_is),
            other=tuple(differs),
            losses=() if plan is None else plan.losses,
            cures=tuple(self._cures(points, after)),
            notes=tuple(self._notes()),
        )

    def _same(self, plan: FlashPlan) -> bool:
        """Whether the flash holds already all that would be written."""
        if self.content.main is None or any(piece.end > self.old.size for piece in plan.pieces):
            return False
        return is_there(plan.pieces, plan.right)

    def _right(self, pieces: tuple[Piece, ...]) -> frozenset[int] | None:
        """The sectors that hold already what they should; of a device only whether all do."""
        right: set[int] = set()
        for piece in pieces:
            for start in range(0, len(piece.data), SECTOR):
                address, data = piece.address + start, piece.data[start : start + SECTOR]
                if address + len(data) <= self.old.size and self._is_there(address, data):
                    right.add(address // SECTOR)
                elif self.old.data is None:
                    return None
        return frozenset(right)

    def _is_there(self, address: int, data: bytes) -> bool:
        known = self.before.code[address : address + len(data)]
        return (known if len(known) == len(data) else self.before.read(address, len(data))) == data

    def _after(self, pieces: Sequence[Piece]) -> FlashSide:
        """The flash with these pieces written to it."""
        return side_after(self.before, pieces, self.content.main, self.content.start)

    def _points(self, after: FlashSide, files: FilesPlan | None) -> list[AdvicePoint]:
        before = self.before
        made = any(name == "@spiffs" for name, _ in self.request.named) or brings_files(self.content)
        points = points_at_stake(before, after, made=made or bool(files is not None and files.pieces))
        return [
            *with_files_kept(points, files),
            *init_data_points(before, after),
            *size_points(before, after),
            *self._mode(),
            *self._builds(),
            *firmware_points(before.firmware, after.firmware),
        ]

    def _mode(self) -> list[AdvicePoint]:
        if self.plan is None:
            return []
        messages = [f.message for f in self.plan.findings if f.code == "flash-mode"]
        return [AdvicePoint(Topic.FLASH_MODE, AdviceVerdict.KEPT, words) for words in messages]

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
        missing = KINDS[main.kind].other_half
        if not missing or (KINDS[main.kind].at_start and main.parts[-1].kind is PartKind.UNKNOWN):
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
            codes = ("old-nodemcu-size", "size-limited", "sdk-3-layout", "settings-replaced", "table-small")
            notes += [f.message for f in self.plan.findings if f.code in codes]
        return [*notes, _UNSEEN]

    def _cures(self, points: list[AdvicePoint], after: FlashSide) -> list[Cure]:
        by_topic = {point.topic: point.verdict for point in reversed(points)}
        cures: list[Cure] = []
        if any(not point.ok for point in points) or (self.plan is not None and self.plan.losses):
            cures.append(cure("Back the whole flash up first.", actions.read(FileRole.BACKUP)))
        if by_topic.get(Topic.FILES) in HARM and self.before.filesystems:
            if not self.request.keep_files and after.nodemcu:
                text = "Have the files carried over: imgtool saves them first."
                cures.append(cure(text, actions.flash(FileRole.NEW, keep_files=True)))
            text = "Take the files out of the backup, to have them when they are gone."
            cures.append(cure(text, actions.extract_files(FileRole.BACKUP, FileRole.FILES)))
            cures += self._fixed_place(after)
        if any(point.verdict is AdviceVerdict.REFUSED for point in points):
            named = [piece for _, piece in self.request.named]
            first = next((piece.name for piece in (*self.request.pieces, *named)), FileRole.NEW)
            cures.append(cure("See what speaks against the image.", actions.inspect(first)))
        elif by_topic.get(Topic.INIT_DATA) is AdviceVerdict.BOOT_LOOP:
            text = "Write init data with the firmware, or it does not start."
            cures.append(cure(text, actions.flash(FileRole.NEW, init_data="v05")))
        elif by_topic.get(Topic.FILE_ROOM) is AdviceVerdict.MISSING:
            cures.append(cure("Take another build or a larger flash, and ask again before you flash it."))
        else:
            cures.append(cure("Flash it.", actions.flash(FileRole.NEW, keep_files=self.request.keep_files)))
        return cures

    def _fixed_place(self, after: FlashSide) -> list[Cure]:
        if not after.partitions or after.flash is None or after.flash.bytes <= _FIXED:
            return []
        brings_table = self.content.main is not None and KINDS[self.content.main.kind].open_end
        if not brings_table or not after.hit(PAGE_ADDRESS, PAGE_ADDRESS + SECTOR):
            return []
        region = None if after.layout is None else after.layout.find(PartKind.SPIFFS)
        if len(self.request.pieces) != 1 or region is None or region.start >= _FIXED:
            return []
        size = after.flash.bytes - _FIXED - _TABLE_END
        made = actions.move_files(FileRole.NEW, after.flash.name, Stretch(_FIXED, size))
        write = actions.flash(FileRole.MOVED_FILES, fresh_settings=self.before.partitions)
        text = "Or make its SPIFFS begin at 1 MB: there it stays where it is in later upgrades."
        return [cure(text, made, write)]


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
