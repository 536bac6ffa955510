"""The lines of a boot that are known, as a table: name, what must be there, form.

The forms only; what becomes of them is in :mod:`imgtool.formats.logs.reader`, and where they are known
from in docs/how-to/boot-logs.md.  Lines that mean one thing by themselves are not here: who judges logs
(imgtool.operations.explain.known_lines) has them with what they mean, and gives their forms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.formats.logs.firmware_lines import CRASH_ROWS, FIRMWARE_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["LineForm", "LineTable", "line_table"]

# One row for each line that is known: name, words that it cannot be without, form.  The forms are those of
# real logs, docs/how-to/boot-logs.md; monitors and forums change spaces, glue lines together and cut them, so
# rows are looked for anywhere in a line.
_ROWS: Final = (
    (
        "banner",
        "cause:",
        (
            r"(?:ets\s{1,4}Jan\s{1,4}8\s{1,4}2013[,\s]{0,4})?rst\s?cause:\s{0,2}(?P<cause>\d{1,2})\b"
            r"(?:[,\s]{1,4}boot mode:\s{0,2}\((?P<mode>\d{1,2})(?:[,\s]{1,3}(?P<second>\d{1,2}))?)?"
        ),
    ),
    ("half_banner", "2013", r"ets\s{1,4}Jan\s{1,4}8\s{1,4}2013"),
    (
        "other_chip",
        "rst:0x|ESP-ROM|LBEG",
        r"\bLBEG {0,4}: {1,2}0x|rst:0x[0-9a-f]{1,2} \([A-Z0-9_]{1,40}\),boot:0x|ESP-ROM:esp32",
    ),
    (
        "load",
        "load 0x",
        r"load 0x(?P<address>[0-9a-f]{1,8}), {0,2}len (?P<length>-?\d{1,10}), {0,2}room (?P<room>\d{1,3})\b",
    ),
    ("ho", "ho ", r"\bho \d{1,3} tail \d{1,3} room \d{1,3}\b"),
    ("tail", "tail ", r"\btail (?P<tail>\d{1,3})\b"),
    ("chksum", "chksum 0x", r"\bchksum 0x(?P<chksum>[0-9a-f]{2})"),
    ("csum-err", "csum err", r"\bcsum err"),
    ("csum", "csum 0x", r"\bcsum 0x(?P<csum>[0-9a-f]{2})"),
    ("ets-main", "ets_main", r"\bets_main\.c(?: {1,2}\d{1,4}\b)?"),
    ("flash-read-err", "flash read err", r"\bflash read err(?:, ?(?:ets_unpack_flash_code|\d{1,5}))?"),
    ("waiting", "waiting for host", r"\bwaiting for host"),
    ("wdt-reset", "wdt reset", r"(?<!Soft )(?<!soft )\bwdt reset\b"),
    ("version", "2nd boot", r"\b2nd boot version ?: ?(?P<version>[\w.()-]{1,40})"),
    ("speed", "SPI Speed", r"\bSPI Speed {1,12}: ?(?P<speed>[\d.]{1,6} ?MHz)"),
    ("spi_mode", "SPI Mode", r"\bSPI Mode {1,12}: ?(?P<spi_mode>[A-Z]{3,4})\b"),
    (
        "flash_size",
        "SPI Flash Size",
        (
            r"\bSPI Flash Size(?: & Map)? {0,12}: ?(?:(?P<mbit>\d{1,3}) ?Mbit"
            r"(?:\((?P<slot_kb>\d{1,4})KB\+\d{1,4}KB\))?|flash map not support)"
        ),
    ),
    ("gpio-select", "no GPIO select", r"\bno GPIO select ?!"),
    ("jump", "jump to run", r"\bjump to run user(?P<slot>[12])\b(?: ?@ ?(?P<at>[0-9a-f]{1,6})\b)?"),
    ("error-magic", "error magic", r"\berror magic ?!"),
    ("flash-addr", "flash_addr", r"\bget flash_addr error ?!"),
    ("first-failed", "first boot failed", r"\bfirst boot failed, reboot to try backup bin"),
    (
        "boot-retry",
        "boot failed",
        r"\b(?:first|backup) boot failed [0-9a-f]{1,8}, reboot to try this bin again",
    ),
    ("backup-failed", "backup boot failed", r"\bbackup boot failed"),
    ("user-flag", "error user bin flag", r"error user bin flag(?:, flag)? = [0-9a-f]\b"),
    ("eboot-erased", "vffffffff", r"\bvffffffff\b"),
    ("eboot-load", "~ld", r"~ld\b"),
    ("eboot-copy", "@cp:", r"@cp:(?P<copied>[0-9a-f]{1,8})\b"),
    ("nodemcu-size", "SPI FI size", r"\bsystem SPI FI size: {0,2}\d{1,2}, {0,2}Flash size: {0,2}\d{1,10}\b"),
    ("rf_cal", "rf cal sector", r"\brf cal sector: {0,2}(?P<sector>\d{1,5})\b"),
    ("rf-byte", "rf[11", r"\brf\[11[234]\] ?: ?[0-9a-f]{2}\b"),
    ("init_data", "rf_cal[0]", r"\brf_cal\[0\] ?!= ?0x05, ?is 0x(?P<byte>[0-9A-Fa-f]{1,2})\b"),
    ("sdk-version", "SDK ver", r"\bSDK ver: {0,2}[\w.()-]{1,40}(?: compiled @ [\w :]{1,30})?"),
    (
        "mismatch",
        "spi_size_map",
        r"\bmismatch map {0,2}(?P<map>\d{1,2}), ?spi_size_map {0,2}(?P<size_map>\d{1,2})\b",
    ),
    *CRASH_ROWS,
    *FIRMWARE_ROWS,
)
_MOST_ROWS: Final = 2  # that are looked for by an expression of their own


class LineForm(NamedTuple):
    """How a line looks that is known.

    Attributes:
        name: Short stable name, which its message has as its kind.
        marks: Words that it cannot be without, ``|`` between them.
        form: Expression for it.
        after_loading: Whether it means something only once an image was started.
        spoken: Whether only firmware prints it that runs.
    """

    name: str
    marks: str
    form: str
    after_loading: bool = False
    spoken: bool = False


class LineTable:
    """The lines that are known: those of this file, and others that a caller knows what to make of.

    Args:
        more: The others.
    """

    def __init__(self, more: Sequence[LineForm] = ()) -> None:
        self.after_loading = frozenset(line.name for line in more if line.after_loading)
        self.spoken = frozenset(line.name for line in more if line.spoken)
        self._rows = (*_ROWS, *(line[:3] for line in more))
        self._names = {f"{name.replace('-', '_')}_": name for name, _, _ in self._rows}
        self._marks = [
            (mark, number) for number, (_, marks, _) in enumerate(self._rows) for mark in marks.split("|")
        ]
        self._form = lru_cache(maxsize=4096)(self._form_of)

    def found_in(self, line: str) -> Iterator[tuple[str, re.Match[str]]]:
        """The known words of a line, in order: the name of each, and its match with named groups."""
        # Most lines have none of the words, others those of one row: looking for them first saves the time.
        rows = tuple(dict.fromkeys([number for mark, number in self._marks if mark in line]))
        if rows:
            for match in self._form(rows if len(rows) <= _MOST_ROWS else None).finditer(line):
                yield self._names[match.lastgroup or ""], match

    def _form_of(self, rows: tuple[int, ...] | None) -> re.Pattern[str]:
        """Some rows, or all, as one expression; made when a log needs it: all of them take long."""
        chosen = self._rows if rows is None else [self._rows[number] for number in rows]
        return re.compile("|".join(f"(?P<{name.replace('-', '_')}_>{form})" for name, _, form in chosen))


@lru_cache(maxsize=8)
def line_table(more: tuple[LineForm, ...] = ()) -> LineTable:
    """The table with some more lines, made once."""
    return LineTable(more)
