"""The lines that a boot consists of, as a table, and how the known words of a line are found.

The forms only; what becomes of them is in :mod:`imgtool.formats.logs.reader`, and where they are known
from in docs/how-to/boot-logs.md.  What a line means is not here: who judges logs
(imgtool.operations.explain.messages) has the lines that mean something by themselves, and gives their forms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from imgtool.formats.logs.crash_lines import CRASH_FORMS
from imgtool.formats.logs.line_forms import BootStage, LineForm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LineTable", "line_table"]

_WORDS: Final = re.compile(r"[a-z_]+")
_NUMBERS: Final = re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")
_SEVERAL: Final = 2
_MOST_SEEN: Final = 2048  # lines whose words are kept: a chip that starts over and over says the same


# A row for each line that a boot consists of.  The forms are those of real logs, docs/how-to/boot-logs.md;
# monitors and forums change spaces and capitals, glue lines together and cut them, so rows are looked for
# anywhere in a line.
_FORMS: Final = (
    LineForm(
        "banner",
        "cause:",
        r"(?i:(?:ets\s{1,4}Jan\s{1,4}8\s{1,4}2013[,\s]{0,4})?rst\s?cause:\s{0,2}(?P<cause>\d{1,2})\b"
        r"(?:[,\s]{1,4}boot mode:\s{0,2}\((?P<mode>\d{1,2})(?:[,\s]{1,3}(?P<second>\d{1,2}))?)?)",
    ),
    LineForm("half_banner", "2013", r"(?i:ets\s{1,4}Jan\s{1,4}8\s{1,4}2013)"),
    LineForm(
        "other_chip",
        "rst:0x|ESP-ROM|LBEG|cpu_start|heap_init|chip revision|multicore|unicore|ets|core|backtrace",
        r"\bLBEG {0,4}: {1,2}0x|rst:0x[0-9a-f]{1,2} \([A-Z0-9_]{1,40}\),boot:0x|ESP-ROM:esp32|"
        r"\b[IWE] \(\d{1,9}\) (?:cpu_start|heap_init|boot\.esp32\w{0,3}): |\bboot: (?:chip revision: |"
        r"(?:Multi|Uni)core bootloader)|\bets J[a-z]{2} {1,2}\d{1,2} 20(?:16|19|2\d)|\bon core 1\b|"
        r"\bCore {1,2}1 (?:panic'ed|register dump)|\bBacktrace: ?0x[0-9a-f]{8}:0x3ff[a-d]",
    ),
    LineForm(
        "load",
        "load 0x",
        r"(?i:load 0x(?P<address>[0-9a-f]{1,8}), {0,2}len {0,2}(?P<length>-?\d{1,10}), {0,2}"
        r"room {0,2}(?P<room>\d{1,3})\b)",
    ),
    LineForm("ho", "ho ", r"\bho \d{1,3} tail \d{1,3} room \d{1,3}\b"),
    LineForm("tail", "tail ", r"(?i:\btail {0,2}(?P<tail>\d{1,3})\b)"),
    LineForm("chksum", "chksum 0x", r"(?i:\bchksum {0,2}0x(?P<chksum>[0-9a-f]{2}))"),
    LineForm("csum-err", "csum err", r"(?i:\bcsum err)"),
    LineForm("csum", "csum 0x", r"(?i:\bcsum {0,2}0x(?P<csum>[0-9a-f]{2}))"),
    LineForm("ets-main", "ets_main", r"\bets_main\.c(?: {1,2}\d{1,4}\b)?"),
    LineForm("flash-read-err", "read err", r"\bflash read err(?:, ?(?:ets_unpack_flash_code|\d{1,5}))?"),
    LineForm("waiting", "waiting for host", r"\bwaiting for host"),
    LineForm("wdt-reset", "wdt", r"(?<!Soft )(?<!soft )(?i:\bwdt reset\b)"),
    LineForm("unknown-reset", "unknown reset", r"\bunknown reset\b"),
    LineForm(
        "version",
        "2nd boot version",
        r"(?i:\b2nd boot version) ?: ?(?P<version>[\w.()-]{1,40})",
        stage=BootStage.LOADER,
        begins=True,
        example="2nd boot version : 1.7(5d6f877)",
    ),
    LineForm(
        "speed", "SPI Speed", r"(?i:\bSPI Speed {0,12}: ?(?P<speed>[\d.]{1,6} ?MHz))", after_loading=True
    ),
    LineForm(
        "spi_mode", "SPI Mode", r"(?i:\bSPI Mode) {0,12}: ?(?P<spi_mode>[A-Z]{3,4})\b", after_loading=True
    ),
    LineForm(
        "flash_size",
        "SPI Flash Size",
        r"(?i:\bSPI Flash Size(?: & Map)? {0,12}: ?(?:(?P<mbit>\d{1,3}) ?Mbit"
        r"(?:\((?P<slot_kb>\d{1,4}) ?KB ?\+ ?\d{1,4} ?KB\))?|(?P<named>\d{1,4}[KM]B)\b))",
        after_loading=True,
    ),
    LineForm(
        "jump",
        "jump to run",
        r"(?i:\bjump to run user)(?P<slot>[12])\b(?: ?@ ?(?P<at>[0-9a-f]{1,6})\b)?",
        stage=BootStage.LOADER,
        after_loading=True,
    ),
    # rBoot's, https://github.com/raburton/rboot
    LineForm(
        "rboot-size",
        "Flash Size",
        r"(?<!SPI )\bFlash Size: {1,6}(?P<rboot_mbit>\d{1,3}) Mbit",
        stage=BootStage.LOADER,
        after_loading=True,
    ),
    LineForm(
        "rf_cal",
        "rf cal sector",
        r"\brf cal sector: {0,2}(?P<sector>\d{1,5})\b",
        stage=BootStage.SDK,
        example="rf cal sector: 1019",
    ),
    LineForm(
        "init_data",
        "rf_cal",
        r"\brf_cal\[0\] ?!= ?0x05, ?is 0x(?P<byte>[0-9A-Fa-f]{1,2})\b",
        stage=BootStage.SDK,
        example="rf_cal[0] !=0x05,is 0xff",
    ),
    *CRASH_FORMS,
)


class LineTable:
    """The lines that are known: those of this file, and others that a caller knows what to make of.

    Args:
        more: The others.
    """

    def __init__(self, more: Sequence[LineForm] = ()) -> None:
        self.rows = {row.name: row for row in (*_FORMS, *more)}
        self._order = {name: number for number, name in enumerate(self.rows)}
        self._compiled: dict[str, re.Pattern[str]] = {}
        self._by_word: dict[str, tuple[LineForm, ...]] = {}
        self._by_piece: dict[str, tuple[LineForm, ...]] = {}
        for row in self.rows.values():
            for mark in row.marks.lower().split("|"):
                words = _WORDS.findall(mark)
                # What begins with a number or a sign is no word of its own in every line.
                found = self._by_word if words and not mark[0].isdigit() else self._by_piece
                key = max(words, key=len) if found is self._by_word else mark
                found[key] = (*found.get(key, ()), row)
        self._known = frozenset(self._by_word)
        self._seen: dict[str, list[tuple[LineForm, re.Match[str]]]] = {}

    def found_in(self, line: str) -> list[tuple[LineForm, re.Match[str]]]:
        """The known words of a line, in order: the row of each, and its match with named groups."""
        found = self._seen.get(line)
        if found is None:
            found = self._look_in(line)
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[line] = found
        return found

    def begins_like(self, line: str) -> bool:
        """Whether a line that was cut may have been a known one, by their examples."""
        begun = _NUMBERS.sub("0", line.lower().strip()).removesuffix("0")
        return any(
            _NUMBERS.sub("0", row.example.lower().strip()).startswith(begun) for row in self.rows.values()
        )

    def _look_in(self, line: str) -> list[tuple[LineForm, re.Match[str]]]:
        # Most lines have none of the words, others those of a few rows: that saves nearly all of the time.
        low = line.lower()
        words = _WORDS.findall(low)
        if self._known.isdisjoint(words):
            rows: dict[str, LineForm] = {}
        else:
            rows = {row.name: row for word in words for row in self._by_word.get(word, ())}
        for piece, more in self._by_piece.items():
            if piece in low:
                rows |= {row.name: row for row in more}
        return self._matches(line, rows) if rows else []

    def _matches(self, line: str, rows: Mapping[str, LineForm]) -> list[tuple[LineForm, re.Match[str]]]:
        found: list[tuple[LineForm, re.Match[str]]] = []
        spare: list[tuple[LineForm, re.Match[str]]] = []
        for row in rows.values():
            kept = spare if row.fallback else found
            if row.whole:
                match = self._pattern(row).fullmatch(line.strip())
                kept += [(row, match)] if match else []
            else:
                kept += [(row, match) for match in self._pattern(row).finditer(line)]
        found = found or spare
        if len(found) < _SEVERAL:
            return found
        found.sort(key=lambda each: (each[1].start(), self._order[each[0].name]))
        apart: list[tuple[LineForm, re.Match[str]]] = []
        for row, match in found:
            if not apart or match.start() >= apart[-1][1].end():
                apart.append((row, match))
        return apart

    def _pattern(self, row: LineForm) -> re.Pattern[str]:
        """The expression of a row; made when a log needs it: all of them take long."""
        if row.name not in self._compiled:
            # Noise stands right in front of words: its letters are none of theirs.
            self._compiled[row.name] = re.compile(row.form, re.ASCII)
        return self._compiled[row.name]


@lru_cache(maxsize=8)
def line_table(more: tuple[LineForm, ...] = ()) -> LineTable:
    """The table with some more lines, made once."""
    return LineTable(more)
