"""Files that are no firmware at all, such as a web page or a picture: why every command refuses them.

The one home of that sentence: it is what ``inspect`` says of the file.  Not whether a firmware stands where
it belongs (places.py), and not whether it is damaged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES
from imgtool.errors import WrongFileError
from imgtool.formats.contents import Hint, HintKind
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import FileKind, Finding, Severity
from imgtool.formats.registry import identify
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.formats.kinds import KindRow
    from imgtool.formats.reading import Reading
    from imgtool.operations.assemble.pieces import Piece
    from imgtool.operations.assemble.places import Placed, Start
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "as_data",
    "empty_file",
    "is_none_of_ours",
    "not_for_flash",
    "refuse_without_parts",
    "refuse_wrong_files",
    "sentence_of",
    "wrong_file",
]

_EXPECTED: Final = "an ESP8266 image"
_FIRMWARE_ITSELF: Final = "take the file with the firmware; its name mostly ends in .bin"
_SIZES: Final = frozenset(size.bytes for size in FLASH_SIZES)
_OF_CONTENT: Final = ("content", "archive")  # what is said of a file for what is in it
_OTHER_MACHINE: Final = "machine"  # the finding of an ELF file for another processor


def is_none_of_ours(what: Reading | Description) -> bool:
    """Whether a file is no artefact of the ESP8266, or no content of a flash."""
    row = KINDS[what.kind]
    return row.foreign or bool(row.no_content)


def not_for_flash(what: Reading | Description, address: int, start: Start | None) -> bool:
    """Whether a file cannot stand at an address, whatever is in it: no flash holds it, or nothing starts it.

    Args:
        what: What it is.
        address: Its flash address.
        start: Who starts the firmware; None where that is not known.
    """
    row = KINDS[what.kind]
    if address and start is not None and address in start.looks:
        return bool(row.no_content) or _is_of_others(what)
    return bool(row.no_content or (not address and row.no_start))


def _is_known(what: Reading | Description) -> bool:
    """Whether it begins as a well-known format of others does."""
    hint = what.parts[0].value if what.parts else None
    return isinstance(hint, Hint) and hint.kind is HintKind.MAGIC


def sentence_of(what: Reading | Description) -> str:
    """What a file is that is no firmware, as ``inspect`` tells it."""
    row = KINDS[what.kind]
    told = next((finding for finding in what.findings if _tells(finding, row)), None)
    if told is not None:
        return told.message if row.foreign or not row.wraps else f"in this {row.words}: {told.message}"
    content = _inside(what)
    if content is not None:
        return f"in this {row.words}: {sentence_of(content)}"
    return f"this is {row.no_content or row.no_start or row.words}"


def _inside(what: Reading | Description) -> Reading | Description | None:
    """What a file wraps, where that is none of ours, or damaged records; else None."""
    content = identify(what.content) if isinstance(what.content, bytes) else what.content
    if content is None:
        return None
    row = KINDS[content.kind]
    damaged = row.wraps and any(finding.severity is Severity.ERROR for finding in content.findings)
    return content if damaged or is_none_of_ours(content) else None


def _tells(finding: Finding, row: KindRow) -> bool:
    """Whether a finding says what the file is, or why nobody can tell what is in it."""
    if finding.severity is not Severity.ERROR:
        return finding.code == _OTHER_MACHINE
    return row.foreign or (row.wraps and finding.code not in _OF_CONTENT)


def wrong_file(
    what: Reading | Description, name: str | None, expected: str = _EXPECTED, message: str = ""
) -> WrongFileError:
    """The refusal of a file that is no firmware.

    Args:
        what: What it is.
        name: What to call it; None where the caller knows.
        expected: What should have been there.
        message: What stands before the sentence; empty for nothing.
    """
    sentence = sentence_of(what)
    error = WrongFileError(
        f"{message}: {sentence}" if message else sentence,
        kind=str(what.kind),
        source=name,
        expected=expected,
        found=KINDS[what.kind].words,
    )
    cure = _cure_of(what)
    if cure:
        error.add_note(cure)
    return error


def _cure_of(what: Reading | Description) -> str:
    content = _inside(what)
    if content is not None:
        return _cure_of(content)
    if any(finding.code == _OTHER_MACHINE for finding in what.findings):
        return KINDS[FileKind.ESP32].cure
    return _FIRMWARE_ITSELF if _is_known(what) else KINDS[what.kind].cure


def empty_file(name: str | None) -> WrongFileError:
    """The refusal of a file without bytes."""
    return wrong_file(identify(b""), name)


def refuse_wrong_files(placed: Sequence[Placed], start: Start | None) -> None:
    """Refuse files that cannot be parts of a flash, by what they are.

    At address 0 that is also what the chip cannot boot from, unless it is as long as a flash and so may be a
    dump of one, or other files stand behind it: then it may be any bytes.

    Args:
        placed: The files.
        start: Who starts the firmware in them; None where that is not known.

    Raises:
        WrongFileError: One of them is such a file.
    """
    for piece, what in placed:
        wrong = not_for_flash(what, piece.address, start)
        if wrong and not (KINDS[what.kind].may_be_dump and _may_be(piece, what, len(placed))):
            raise wrong_file(what, piece.name)


def _may_be(piece: Piece, what: Reading | Description, files: int) -> bool:
    return len(piece.data) in _SIZES or (files > 1 and not _is_known(what))


def as_data(placed: Sequence[Placed]) -> list[Finding]:
    """What is said of files behind address 0 that are no part of a firmware, such as a web page.

    They may be somebody's data, so nothing is refused.
    """
    others = [
        each
        for each in placed
        if each.piece.address and _is_of_others(each.what) and not KINDS[each.what.kind].no_content
    ]
    return [
        Finding(
            Severity.NOTE,
            "as-data",
            Phrase(piece.name, f" goes to 0x{piece.address:06x} as data: {sentence_of(what)}"),
            piece.address,
        )
        for piece, what in others
    ]


def _is_of_others(what: Reading | Description) -> bool:
    """Whether it is something else, and not only unknown."""
    row = KINDS[what.kind]
    return row.foreign and (not row.may_be_dump or _is_known(what))


def refuse_without_parts(what: Description) -> None:
    """Refuse to take apart what is none of ours, or a file of which nobody can tell what is in it.

    Raises:
        WrongFileError: It is such a file.
    """
    row = KINDS[what.kind]
    if not (is_none_of_ours(what) or row.wraps):
        return
    if len(what.parts) <= 1 or (row.foreign and not row.may_be_dump):
        raise wrong_file(what, None)
