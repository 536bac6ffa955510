"""Which release of Espressif's SDK an image was built on, by its strings and the start of its data.

Not which firmware it is: that is firmware.py.  Every image on the non-OS SDK 1.2 and later has the version at
the start of a segment for data memory; others have it beside a date, or only the date on which the libraries
were compiled.  Numbers that stand anywhere else are no SDK: 1.4.9, in many images, is that of a TLS library.

Source: the strings of 289 images; see docs/formats/firmware.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COMPILED", "sdk_of"]

# Patterns are compiled when they are first searched for.

# A segment's header, whose address is in data memory and whose size is below 128 KB, and the version at once.
# The search goes by the byte 0x3F, the last one of the address.
_AT_START: Final = (
    rb"\x3f(?<=[\x80-\xff][\xfe\xff]\x3f|[\x00-\x7f]\xff\x3f)[\s\S]{2}[\x00\x01]\x00"
    rb"(\d\.\d\.\d(?:\.\d)?(?:-dev|-rc\d{1,2})?(?:\([0-9a-f]{7,8}\)|\(b\d{1,2}\))?)\x00"
)
# Digits, an optional -dev and the commit in parentheses: 1.5.4.1(39cb9a32), 3.0.6-dev(072755c).  The search
# starts from the parenthesis, which is rare, and looks back.
_COMMIT: Final = rb"\([0-9a-f]{7,8}\)"
_WITH_COMMIT: Final = rb"\d+\.\d+\.\d+(?:\.\d+)?(?:-dev)?\([0-9a-f]{7,8}\)\Z"
_LONGEST: Final = 32
# Before 1.2: the version, padded to a word, and right behind it the date of the build.  The search starts
# from the year, which is rarer.
_YEAR: Final = rb" 20\d\d\x00"
_WITH_DATE: Final = (
    rb"(?<![\d.])((?:0\.9|1\.[01])\.\d(?:\.\d)?(?:\(b\d{1,2}\))?)\x00{1,4}"
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d\Z"
)
_COMPILED_MARK: Final = b"compiled @ "
_COMPILED: Final = rb"compiled @ ([A-Z][a-z]{2} [ \d]\d \d{4} \d\d:\d\d:\d\d)"

COMPILED: Final = {
    "Aug  7 2015 19:17:30": "1.3.0",
    "Sep 18 2015 20:55:49": "1.4.0",
    "Nov 27 2015 13:37:51": "1.5.0",
    "Jan  7 2016 18:44:54": "1.5.1(e67da894)",
    "Jan 29 2016 17:26:12": "1.5.2(80914727)",
    "Apr 18 2016 13:20:18": "1.5.3(aec24ac9)",
    "May 17 2016 19:23:54": "1.5.4(baaeaebb)",
    "Jul  1 2016 20:04:35": "1.5.4.1(39cb9a32)",
    "Jul 19 2016 17:58:40": "2.0.0(656edbf)",
    "Aug  9 2016 15:12:27": "2.0.0(5a875ba)",
    "May  5 2017 16:08:55": "2.1.0(116b762)",
    "Oct 13 2017 14:49:05": "2.1.0(7106d38)",
    "Nov  3 2017 19:40:08": "2.2.0-dev(9422289)",
    "Feb  6 2018 13:35:12": "2.2.0(f28eaf2)",
    "Feb 22 2018 13:36:05": "2.2.1(cfd48f3)",
    "Jun  7 2018 13:59:14": "2.2.1(6ab97e9)",
    "Jun 26 2018 16:54:37": "3.0.0-dev(c0f7b44)",
    "Aug 22 2018 13:50:05": "3.0.0(d49923c)",
    "Dec  7 2018 18:39:05": "2.2.0(f28eaf2)",
    "Jan 25 2019 14:26:04": "2.0.0(e8c5810)",
    "Apr 16 2019 15:02:05": "3.0.1-dev(fce080e)",
    "Jun 12 2019 17:11:05": "2.2.0(e563851)",
    "Jul  3 2019 15:53:05": "2.2.2-dev(38a443e)",
    "Jul 15 2019 17:20:05": "3.0.1(78a3e33)",
    "Sep 30 2019 11:19:12": "2.0.0(29f7e05)",
    "May 22 2020 16:26:04": "3.0.4(9532ceb)",
    "Jul  8 2020 16:00:05": "3.0.5-dev(52383f9)",
    "Oct  9 2021 09:52:05": "3.0.5(b29dcd3)",
    "Jan 24 2022 08:56:07": "3.0.6-dev(865fa65)",
    "Apr  6 2023 03:06:03": "3.0.6-dev(072755c)",
}
"""SDKs by the time at which their libraries were compiled, which irom has: one each in all images seen."""


def sdk_of(data: bytes) -> str | None:
    """The SDK of the first image in ``data``; None where its strings do not say."""
    stated = re.search(_AT_START, data)
    if stated is not None:
        return _text(stated[1])
    ways = (_with_commit(data), _with_date(data), _by_date(data))
    return next((sdk for found in ways for sdk in found), None)


def _with_commit(data: bytes) -> Iterator[str]:
    for commit in re.finditer(_COMMIT, data):
        found = re.search(_WITH_COMMIT, data[max(0, commit.start() - _LONGEST) : commit.end()])
        if found is not None:
            yield _text(found[0])


def _with_date(data: bytes) -> Iterator[str]:
    for year in re.finditer(_YEAR, data):
        found = re.search(_WITH_DATE, data[max(0, year.start() - _LONGEST) : year.start()])
        if found is not None:
            yield _text(found[1])


def _by_date(data: bytes) -> Iterator[str]:
    stated = re.finditer(_COMPILED, data) if _COMPILED_MARK in data else ()
    yield from (COMPILED[date] for found in stated if (date := _text(found[1])) in COMPILED)


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace")
