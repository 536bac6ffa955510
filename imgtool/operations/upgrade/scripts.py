"""What changes for scripts in an upgrade: Lua, numbers, modules, and the API breaks that NodeMCU documents.

Judged by what the banners say of the two builds.  Each break names the page that says so; there are others
that no page of the project lists by release.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.operations.upgrade.values import AdvicePoint, AdviceVerdict, Topic

if TYPE_CHECKING:
    from imgtool.formats.reading import Firmware

__all__ = ["firmware_points", "old_default"]

_OLD_DEFAULT: Final = "e18a16affdf3604efe05f257f689dbf7"
"""MD5 of nodemcu_integer_0.9.5_20150318.bin, which is inside NodeMCU's Windows flasher."""


class _Break(NamedTuple):
    """A change of the API: first release with it, its date where a version has several, words, page."""

    release: tuple[int, ...]
    date: str
    words: str
    source: str


_DOCS: Final = "https://nodemcu.readthedocs.io/en/release"
_GITHUB: Final = "https://github.com/nodemcu/nodemcu-firmware"
_TAG: Final = f"{_GITHUB}/releases/tag"
_BREAKS: Final = (
    _Break(
        (1,),
        "",
        'socket:send() became asynchronous: send the next piece in the callback of "sent"',
        f"{_DOCS}/flash/#upgrading-firmware",
    ),
    _Break((2, 1), "", "sjson takes the place of cjson", f"{_TAG}/2.1.0-master_20170521"),
    _Break(
        (2, 1),
        "20170811",
        "wifi.sta.config() takes a table, no longer name and password",
        f"{_GITHUB}/issues/2082",
    ),
    _Break(
        (2, 1),
        "20170811",
        "wifi.sta.eventMonReg(), eventMonStart() and eventMonStop() are gone",
        f"{_GITHUB}/pull/1900",
    ),
    _Break(
        (2, 2),
        "",
        "the deprecated init() of I2C-based modules is gone",
        f"{_TAG}/2.2.0-master_20180402",
    ),
    _Break((3,), "", "the timers 0 to 6 of tmr are gone: use tmr.create()", f"{_DOCS}/modules/tmr/"),
    _Break(
        (3,),
        "",
        "node.info() tells more with a parameter; without one it is deprecated",
        f"{_TAG}/3.0-master_20190907",
    ),
    _Break((3,), "", "ds18b20 is a Lua module, no longer one in C", f"{_TAG}/3.0-master_20190907"),
    _Break(
        (3,),
        "20200910",
        "the modules sqlite3 and rc are gone, and node.flashreload() is deprecated (node.LFS.reload())",
        f"{_TAG}/3.0-release_20200910",
    ),
)


def firmware_points(old: Firmware | None, new: Firmware | None) -> list[AdvicePoint]:
    """The points about scripts, where both are NodeMCU."""
    if old is None or new is None or old.name != "NodeMCU" or new.name != "NodeMCU":
        return []
    points = [*_lua(old, new), *_numbers(old, new), *_modules(old, new), *_ssl(old, new)]
    return points + [
        AdvicePoint(Topic.API, AdviceVerdict.CHANGED, each.words, each.source)
        for each in _BREAKS
        if _has(new, each) and not _has(old, each)
    ]


def _has(firmware: Firmware, change: _Break) -> bool:
    """Whether a firmware has a change."""
    release = firmware.release
    if not release:
        return False
    known = release[: len(change.release)]
    if known != change.release or not change.date:
        return known >= change.release
    tag = re.sub(r"\D", "", firmware.details.get("release", "").rpartition("_")[2])
    built = re.sub(r"\D", "", firmware.build or "")[:8]
    date = tag[:8] or built
    return date >= change.date or (not date and release[len(change.release) :] > (0,))


def _lua(old: Firmware, new: Firmware) -> list[AdvicePoint]:
    one, two = (".".join((each.lua or "").split(".")[:2]) for each in (old, new))
    if not one or not two:
        return []
    if one == two:
        return [AdvicePoint(Topic.LUA, AdviceVerdict.KEPT, f"Lua {old.lua} and {new.lua}")]
    reason = f"Lua {old.lua} becomes {new.lua}: compile .lc files and LFS images again"
    return [AdvicePoint(Topic.LUA, AdviceVerdict.CHANGED, reason)]


def _numbers(old: Firmware, new: Firmware) -> list[AdvicePoint]:
    one, two = (each.details.get("build type") or each.details.get("Build type") for each in (old, new))
    if not one and not two:
        return []
    if one and two and one != two:
        reason = f"{one} becomes {two}: compile .lc files and LFS images again"
        return [AdvicePoint(Topic.NUMBERS, AdviceVerdict.CHANGED, reason)]
    if one and two:
        return [AdvicePoint(Topic.NUMBERS, AdviceVerdict.KEPT, one)]
    which, known = ("OLD", two) if not one else ("NEW", one)
    reason = f"the banner of {which} does not say; the other one is {known}: where they differ, compile again"
    return [AdvicePoint(Topic.NUMBERS, AdviceVerdict.UNKNOWN, reason)]


def _modules(old: Firmware, new: Firmware) -> list[AdvicePoint]:
    one, two = ({*filter(None, re.split(r"[,\s]+", each.details.get("modules", "")))} for each in (old, new))
    if not one or not two:
        return []
    gone = sorted(one - two)
    if not gone:
        return [AdvicePoint(Topic.MODULES, AdviceVerdict.KEPT, f"the new build has all {len(one)} of OLD's")]
    reason = f"the new build lacks {', '.join(gone)}"
    return [AdvicePoint(Topic.MODULES, AdviceVerdict.LOST, reason)]


def _ssl(old: Firmware, new: Firmware) -> list[AdvicePoint]:
    one, two = (each.details.get("SSL", "") for each in (old, new))
    if one == "true" and two == "false":
        return [AdvicePoint(Topic.SSL, AdviceVerdict.LOST, "OLD was built with SSL, NEW is not")]
    return []


def old_default(md5: str) -> bool:
    """Whether an MD5 is that of the firmware that NodeMCU's Windows flasher writes where none is chosen."""
    return md5 == _OLD_DEFAULT
