"""A serial log as clean lines: encodings, terminals' controls and the prefixes of monitors taken off.

Knows nothing of what the lines say; :mod:`imgtool.formats.logs.boots` does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "decoded",
    "garbled_start",
    "is_binary",
    "is_noise",
    "is_readable",
    "lines",
    "without_prefix",
]

# Colours and cursor movements of terminals, ECMA-48 5.4; other control characters are dropped.
# Some monitors lose the escape, or show it.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]{0,16}[ -/]{0,4}[@-~]|[.\u241b]?\[0(?:;3\d)?m")
_DIRT: Final = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f\u241b]|\[0;3\dm")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_ENDS: Final = re.compile(r"\r{0,2}\n|\r")
# What monitors put in front of a line: "12:01:02.123 -> ", "12:01:02.123 > ",
# "[13:16:42.487] ", "2019-12-12 09:45:36,678 # ".
_PREFIX: Final = re.compile(
    r"\s{0,8}(?:\[?(?:\d{4}[-./]\d\d[-./]\d\d[ T,]{0,2})?\d\d:\d\d:\d\d(?:[.,:]\d{1,6})?[\],]?\s?"
    r"(?:-?>(?!>)|#|:|\|)?|\d{1,9}> )\s?"
)
_PREFIX_STARTS: Final = frozenset("[0123456789 ")
_QUOTE: Final = re.compile(r"(?:[>|] ?){1,3}")
_MOST_LINES: Final = 0.6  # begin with the mark of a quote, in a log that was quoted
_LONGEST_LINE: Final = 1 << 16  # what is longer is no line of a log

# Share of printable ASCII: uniform noise has 0.38, noise in the threads that docs/how-to/boot-logs.md names
# 0.33 to 0.65, logs with a few bad characters more than 0.95.
_LEAST_READABLE: Final = 0.8
_LEAST_CHARACTERS: Final = 16
_LOOKED_AT: Final = 4096  # bytes
_WIDE: Final = 0.5  # share of characters below U+0100, in a log with words of people around it
_LEAST_BINARY: Final = 1024  # characters
_MOST_BINARY: Final = 0.6  # share of printable ASCII: 0.25 to 0.5 in firmware images
_LEAST_ZEROS: Final = 1.5  # for each other character
_READABLE_LINES: Final = 3
_READABLE_CHARACTERS: Final = 200
_WORDS: Final = re.compile(r"[A-Za-z]{3}")


def decoded(log: bytes | str) -> str:
    """The text of a log; noise is no UTF-8, but a log that went through an editor may be."""
    if isinstance(log, str):
        return log
    # PowerShell's > writes UTF-16 with its mark; what is left of a log may have lost that.
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if log.startswith(mark) and _is_wide(log[2:], encoding):
            return log[2:].decode(encoding, "replace")
    for encoding in ("utf-16-le", "utf-16-be"):
        if _is_wide(log, encoding):
            return log.decode(encoding, "replace")
    try:
        return log.decode("utf-8-sig")
    except UnicodeDecodeError:
        return log.decode("latin-1")


def _is_wide(log: bytes, encoding: str) -> bool:
    """Whether this is text of two bytes a character: one of the two is mostly 0, and the other never."""
    start = log[:_LOOKED_AT]
    low, high = (start[::2], start[1::2]) if encoding == "utf-16-le" else (start[1::2], start[::2])
    return len(high) >= _LEAST_CHARACTERS and high.count(0) >= _WIDE * len(high) and 0 not in low


def lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, with their numbers, without what monitors and quotes put in front."""
    if _DIRT.search(text):
        text = _CONTROLS.sub("", _ESCAPES.sub("", text)).replace("\t", " ")
    quoted = text.count("\n>") > _MOST_LINES * max(text.count("\n"), 1)
    for number, line in enumerate(_LINE_ENDS.split(text), 1):
        if not line:
            continue
        shown = line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE]
        if quoted and (mark := _QUOTE.match(shown)):
            shown = shown[mark.end() :]
        yield number, without_prefix(shown) if shown[:1] in _PREFIX_STARTS else shown


def without_prefix(text: str) -> str:
    """A line without the time that a monitor put in front of it."""
    match = _PREFIX.match(text)
    return text[match.end() :] if match else text


def is_readable(text: str) -> bool:
    """Whether most characters are printable ASCII."""
    if text.isascii() and text.isprintable():
        return True
    return _readable_share(text) >= _LEAST_READABLE


def _readable_share(text: str) -> float:
    readable = sum(1 for char in text if " " <= char <= "~" or char in "\t\r\n")
    return readable / max(len(text), 1)


def is_binary(text: str) -> bool:
    """Whether a text is probably a file of another kind, such as a firmware with such texts in it."""
    return len(text) >= _LEAST_BINARY and _readable_share(text[:_LONGEST_LINE]) < _MOST_BINARY


def is_noise(text: str) -> bool:
    """Whether there is enough of a log to say that most of it cannot be read."""
    shown = "".join(line for _, line in lines(text))
    # What was sent at a much lower speed is read as zeros; a text in UTF-16 has fewer of them than that.
    zeros = len(_CONTROLS.findall(text))
    if zeros >= max(_LEAST_CHARACTERS, _LEAST_ZEROS * len(shown)):
        return True
    return len(shown) >= _LEAST_CHARACTERS and not is_readable(shown)


def garbled_start(text: str, stop: int) -> tuple[str, tuple[tuple[int, str], ...]]:
    """What cannot be read before the first readable line, and the first readable lines.

    Args:
        text: The log.
        stop: Line number at which to end; 0 for none.
    """
    garbled: list[str] = []
    readable: list[tuple[int, str]] = []
    for number, line in enumerate(_LINE_ENDS.split(text[:_LONGEST_LINE]), 1):
        if (stop and number >= stop) or len(readable) >= _READABLE_LINES:
            break
        clean = without_prefix(_ESCAPES.sub("", line)).strip("\0 ")
        words = _CONTROLS.sub("", clean)
        if is_readable(clean) and _WORDS.search(words):
            readable.append((number, words[:_READABLE_CHARACTERS]))
        elif not readable and clean and not is_readable(clean):
            garbled.append(line)
    return "\n".join(garbled)[:_LONGEST_LINE], tuple(readable)
