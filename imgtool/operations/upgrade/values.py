"""The values of an advice: topics, verdicts, points, and the advice as a whole.

No rule is here; those are in files.py, regions.py and scripts.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware
    from imgtool.operations.actions import Cure

__all__ = [
    "HARM",
    "REFUSED",
    "AdvicePoint",
    "AdviceVerdict",
    "FirmwareAdvice",
    "Loss",
    "LossKind",
    "Topic",
]


class Topic(StrEnum):
    """What a point is about."""

    FILES = "files"
    STALE_FILES = "stale files"
    FIRST_BOOT = "first boot"
    FILE_ROOM = "room for files"
    LFS = "LFS"
    SETTINGS = "settings"
    WIFI = "Wi-Fi settings"
    FIRMWARE = "old firmware"
    UNKNOWN_DATA = "unknown data"
    INIT_DATA = "init data"
    RF_CAL = "RF calibration"
    FLASH_SIZE = "flash size"
    FLASH_MODE = "flash mode"
    BUILDS = "build"
    LUA = "Lua"
    NUMBERS = "number type"
    MODULES = "modules"
    SSL = "SSL"
    API = "API"


class AdviceVerdict(StrEnum):
    """What becomes of it."""

    KEPT = "kept"
    MOVED = "moved"
    FORMATTED = "formatted"
    OVERWRITTEN = "overwritten"
    LOST = "lost"
    REWRITTEN = "rewritten"
    BOOT_LOOP = "boot-loop"
    MISSING = "missing"
    CHANGED = "changed"
    REFUSED = "refused"
    NONE = "none"
    UNKNOWN = "unknown"


HARM: Final = (
    AdviceVerdict.FORMATTED,
    AdviceVerdict.OVERWRITTEN,
    AdviceVerdict.LOST,
    AdviceVerdict.BOOT_LOOP,
    AdviceVerdict.MISSING,
    AdviceVerdict.REFUSED,
)
"""Verdicts that mean that something is lost, will not start, or cannot work."""

_MUST_BE_KNOWN: Final = (
    Topic.FILES,
    Topic.LFS,
    Topic.SETTINGS,
    Topic.INIT_DATA,
    Topic.FLASH_SIZE,
    Topic.BUILDS,
)


@dataclass(frozen=True, slots=True)
class AdvicePoint:
    """One point of an advice.

    Attributes:
        topic: What it is about.
        verdict: What becomes of it.
        reason: Why, as a sentence without a full stop.
        source: Address of the page that says so, where it is not one of imgtool's own rules.
    """

    topic: Topic
    verdict: AdviceVerdict
    reason: str
    source: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is lost by it, and that is known."""
        unknown = self.verdict is AdviceVerdict.UNKNOWN and self.topic in _MUST_BE_KNOWN
        return self.verdict not in HARM and not unknown


class LossKind(StrEnum):
    """What is lost, by what can be done about it."""

    FILES = "files"
    """A file system, written over, formatted, or not looked for any more."""
    LFS = "lfs"
    """Lua's flash store, which has to be loaded again."""
    SETTINGS = "settings"
    """Partition table and start-up settings of NodeMCU, the SDK's parameters, a partition or sector for
    settings, init data of the device's own."""
    FIRMWARE = "firmware"
    """Another firmware than the one that is written; of a later release of the same one nothing is lost."""
    UNKNOWN = "unknown"
    """Bytes of which imgtool does not know whose they are."""


REFUSED: Final = (LossKind.FILES, LossKind.LFS)
"""What nothing is written over unless the user says so; of the others a warning is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something of the user's that a write destroys, or puts out of reach.

    Attributes:
        kind: What it is.
        name: What to call it.
        start: Flash address.
        size: Bytes of it; of unknown data and of settings those of the sectors that are not blank.
        verdict: What becomes of it.
        reason: Why, as a sentence without a full stop.
        files: Names of the files in a file system, as far as they were looked at.
    """

    kind: LossKind
    name: str
    start: int
    size: int
    verdict: AdviceVerdict
    reason: str
    files: tuple[str, ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """Its fields by name, for machine-readable reports."""
        return {
            "kind": str(self.kind),
            "name": self.name,
            "address": self.start,
            "size": self.size,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "files": list(self.files),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareAdvice:
    """What an upgrade will do.

    Attributes:
        sentence: All of it in one sentence.
        old: The firmware that was there; None where that is not known.
        new: The firmware that comes; None where that is not known.
        old_kind: What OLD is: a kind of file, or ``device``.
        new_kind: What NEW is: a kind of file.
        flash_bytes: Capacity of the flash; None where nothing tells.
        flash_size: The size that the new header will state; None where it has no meaning.
        points: Topic by topic.
        elsewhere: What another tool does that writes the same bytes, where that differs; else empty.
        other: The points of that other tool that differ.
        losses: What is lost, with its place.
        cures: What to do, in order; with commands.
        notes: What the advice rests on.
    """

    sentence: str
    old: Firmware | None
    new: Firmware | None
    old_kind: str
    new_kind: str
    flash_bytes: int | None
    flash_size: str | None
    points: tuple[AdvicePoint, ...]
    elsewhere: str = ""
    other: tuple[AdvicePoint, ...] = ()
    losses: tuple[Loss, ...] = ()
    cures: tuple[Cure, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is lost, the firmware will start, and both are known."""
        return all(point.ok for point in self.points)

    def point(self, topic: Topic | str) -> AdvicePoint | None:
        """The first point about a topic."""
        return next((point for point in self.points if point.topic == topic), None)
