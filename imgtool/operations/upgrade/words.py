"""An advice in sentences: all of it in one, and what another tool would do otherwise.

The points come from the rules; nothing is judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.operations.upgrade.values import AdviceVerdict, Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.operations.upgrade.side import FlashSide
    from imgtool.operations.upgrade.values import AdvicePoint

__all__ = ["differing", "elsewhere_words", "sentence_of"]

_WORDS: Final = {
    (Topic.FILES, AdviceVerdict.KEPT): "files stay",
    (Topic.FILES, AdviceVerdict.FORMATTED): "the file system is formatted",
    (Topic.FILES, AdviceVerdict.OVERWRITTEN): "files are written over",
    (Topic.FILES, AdviceVerdict.LOST): "files are lost",
    (Topic.FILES, AdviceVerdict.UNKNOWN): "what becomes of files is not known",
    (Topic.FILE_ROOM, AdviceVerdict.MISSING): "no file can be kept",
    (Topic.LFS, AdviceVerdict.KEPT): "LFS stays",
    (Topic.LFS, AdviceVerdict.LOST): "LFS is lost",
    (Topic.LFS, AdviceVerdict.UNKNOWN): "what becomes of LFS is not known",
    (Topic.SETTINGS, AdviceVerdict.KEPT): "settings stay",
    (Topic.SETTINGS, AdviceVerdict.LOST): "partition table and start-up settings are lost",
    (Topic.SETTINGS, AdviceVerdict.CHANGED): "the partition table is a new one",
    (Topic.SETTINGS, AdviceVerdict.OVERWRITTEN): "settings are written over",
    (Topic.SETTINGS, AdviceVerdict.FORMATTED): "settings are formatted",
    (Topic.WIFI, AdviceVerdict.LOST): "the stored network is lost",
    (Topic.WIFI, AdviceVerdict.OVERWRITTEN): "the stored network is lost",
    (Topic.FIRMWARE, AdviceVerdict.OVERWRITTEN): "the old firmware is written over",
    (Topic.UNKNOWN_DATA, AdviceVerdict.OVERWRITTEN): "unknown data is written over",
    (Topic.UNKNOWN_DATA, AdviceVerdict.FORMATTED): "unknown data is formatted",
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


def sentence_of(points: Sequence[AdvicePoint], *, same: bool) -> str:
    """All points in one sentence; ``same`` says that the flash holds already what would be written."""
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


_STOPS: Final = (Topic.FLASH_SIZE, AdviceVerdict.REFUSED)
_COMPARED: Final = (
    Topic.FILES,
    Topic.FILE_ROOM,
    Topic.LFS,
    Topic.SETTINGS,
    Topic.INIT_DATA,
    Topic.RF_CAL,
    Topic.FLASH_SIZE,
)


def differing(points: Sequence[AdvicePoint], other: Sequence[AdvicePoint]) -> list[AdvicePoint]:
    """The points of the other tool that come out otherwise."""
    ours = {point.topic: point.verdict for point in reversed(points)}
    theirs = {point.topic: point for point in reversed(other)}
    return [
        theirs[topic]
        for topic in _COMPARED
        if topic in theirs and theirs[topic].verdict is not ours.get(topic)
    ]


def elsewhere_words(differs: Sequence[AdvicePoint], as_is: FlashSide) -> str:
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
