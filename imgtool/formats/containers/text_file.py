"""Text where firmware was expected: an error page, a Git LFS pointer, a path.

These are the files that a failed download or check-out leaves behind.  They are named, with what happened;
they are not interpreted.

Sources: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md for the pointer; see docs/formats/text.md.
"""

from __future__ import annotations

import re
from typing import Final

from imgtool.formats.reading import Fact, FileKind, Finding, Part, PartKind, Reading, Severity

__all__ = ["read"]

_CONTROLS: Final = b"\t\n\x0b\x0c\r\x1b"
_TEXT_BYTES: Final = _CONTROLS + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_LEAST: Final = 4
_SAMPLE: Final = 1 << 20
_HEAD: Final = 1 << 16
_UTF_8_MARK: Final = "\ufeff"
_UTF_16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_SHOWN: Final = 80

_HTML: Final = re.compile(
    r"<!doctype html|<html|<head|<body|<!-- .{0,200}-->\s*<(?:!doctype|html)", re.IGNORECASE | re.DOTALL
)
_TITLE: Final = re.compile(r"<title[^>]{0,200}>([^<]{1,400})", re.IGNORECASE)
_POINTER: Final = re.compile(r"version https://git-lfs\.github\.com/spec/v\d")
_POINTER_SIZE: Final = re.compile(r"^size (\d{1,18})\s*$", re.MULTILINE)
_URL: Final = re.compile(r"(?:https?|ftp)://\S{1,2000}\Z")
_PATH: Final = re.compile(r"(?:[A-Za-z]:)?[^\s<>|?*\"]{0,1000}[/\\.][^\s<>|?*\"]{1,1000}\Z")


def read(data: bytes) -> Reading | None:
    """Read a file that holds nothing but text."""
    text = _decoded(data)
    if text is None:
        return None
    what, message, facts = _judge(text)
    part = Part(PartKind.UNKNOWN, 0, len(data), note=what, facts=facts)
    return Reading(FileKind.TEXT, (part,), findings=(Finding(Severity.ERROR, "text", message),))


def _decoded(data: bytes) -> str | None:
    """The first MiB as text without white space around it, None if it is not text."""
    if len(data) < _LEAST:
        return None
    sample = data[:_SAMPLE]
    wide = sample.startswith(_UTF_16_MARKS)
    # A character may be cut at the end of the sample, or of a file that is cut itself: so much is forgiven.
    if wide:
        text = sample[: len(sample) & ~1].decode("utf-16", errors="replace")
        plain = text.count("\ufffd") <= 1 and sum(map(text.count, " etaoin")) * 8 > len(text)
        return text.strip() if plain else None
    if sample.translate(None, _TEXT_BYTES):
        return None
    try:
        text = sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:
            return None
        text = sample[: error.start].decode("utf-8")
    return text.removeprefix(_UTF_8_MARK).strip()


def _judge(text: str) -> tuple[str, str, dict[str, Fact]]:
    """What the text is in a few words, what happened, and what it says."""
    head = text[:_HEAD]
    if _POINTER.match(head):
        return _pointer(head)
    if _HTML.match(head):
        return _page(head)
    what, message = "text", "this is a text, not firmware"
    if head.startswith("<"):
        what, message = "XML", "this is XML, mostly an error message of a server, not firmware"
    elif text.startswith(("{", "[")) and text.endswith(("}", "]")):
        what, message = "JSON", "this is JSON, mostly an answer of a server, not firmware"
    elif _URL.match(head):
        what = "link"
        message = f"this is only the address of a file, {_shown(head)}: it was saved instead of the file"
    elif _PATH.match(head):
        what = "link"
        message = f"this is only a path, {_shown(head)}: a symbolic link was saved as a file"
    return what, message, {}


def _pointer(head: str) -> tuple[str, str, dict[str, Fact]]:
    size = _POINTER_SIZE.search(head)
    real = "" if size is None else f" of {int(size[1]):,} bytes"
    message = (
        f"this is a Git LFS pointer; the file{real} that it stands for was not fetched (git lfs pull does)"
    )
    return "Git LFS pointer", message, {} if size is None else {"size": int(size[1])}


def _page(head: str) -> tuple[str, str, dict[str, Fact]]:
    import html  # noqa: PLC0415 - its table of entities is large, and pages are rare

    title = _TITLE.search(head)
    called = "" if title is None else _shown(html.unescape(title[1]))
    message = "this is a web page, not firmware: the download gave a page instead of the file"
    if not called:
        return "HTML page", message, {}
    return "HTML page", f'{message}; its title is "{called}"', {"title": called}


def _shown(text: str) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
