"""Files that are described: what each is and whether it is whole, on one line, and the exit code of that.

Not tables and colours (imgtool.cli.show), not JSON (documents.py).  It runs at each ``inspect``, so that what
few files need is imported for those alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.engine.results import Tone
from imgtool.formats.kinds import KINDS
from imgtool.formats.reading import PartKind, Severity
from imgtool.quantities import bytes_and_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from imgtool.formats.reading import Finding, Firmware
    from imgtool.operations.inspect.describe import Description

__all__ = [
    "FileVerdict",
    "code_of_descriptions",
    "described",
    "errors_of",
    "file_verdict",
    "firmware_words",
    "image_words",
    "summary_words",
    "tone_of",
    "verdict_words",
]

_FILE_SYSTEMS: Final = (PartKind.SPIFFS, PartKind.LITTLEFS)
_TONES: Final = {Severity.ERROR: Tone.WRONG, Severity.WARNING: Tone.CARE, Severity.NOTE: Tone.DIM}
_DAMAGED: Final = 1
_FOREIGN: Final = 3


class FileVerdict(NamedTuple):
    """What a file is, and whether it is whole.

    Attributes:
        what: Its kind and size.
        words: How many errors there are, or that there are none; of a flash without, whether nothing starts.
        good: Whether there is nothing of that.
    """

    what: str
    words: str
    good: bool


def described(data: bytes) -> Description:
    """What a file is, with the files of its file systems, and of an archive."""
    from imgtool.operations.inspect.describe import describe  # noqa: PLC0415 - slow, and not for words alone

    description = describe(data)
    if _packs(description):
        from imgtool.operations.inspect.archives import with_members  # noqa: PLC0415 - few files are archives

        return with_members(data, description)
    if not _has_file_systems(description):
        return description
    from imgtool.operations.inspect.file_systems import with_files  # noqa: PLC0415 - few files have any

    return with_files(data, description)


def _has_file_systems(description: Description) -> bool:
    if any(part.kind in _FILE_SYSTEMS for part in description.parts):
        return True
    return description.content is not None and _has_file_systems(description.content)


def _packs(description: Description) -> bool:
    content = description.content
    return KINDS[description.kind].packs or (content is not None and KINDS[content.kind].packs)


def image_words(description: Description) -> str:
    """What an image is, on one line."""
    return firmware_words(description.firmware) or KINDS[description.kind].words


def firmware_words(firmware: Firmware | None) -> str:
    """Which firmware it is, on one line; empty for none."""
    if firmware is None:
        return ""
    name = f"{firmware.name} {firmware.version or ''}".strip()
    return f"{name}, SDK {firmware.sdk}" if firmware.sdk else name


def summary_words(descriptions: Sequence[Description]) -> str:
    """How many files are good, on one line."""
    damaged = sum(not description.ok and not description.foreign for description in descriptions)
    foreign = sum(description.foreign for description in descriptions)
    counts = f"{len(descriptions) - damaged - foreign} good, {damaged} damaged, {foreign} no ESP8266 files"
    return f"{len(descriptions)} files: {counts}"


def errors_of(description: Description) -> list[Finding]:
    """The errors of a file and of what is inside it."""
    inside = [] if description.content is None or description.ok else errors_of(description.content)
    return [f for f in description.findings if f.severity is Severity.ERROR] + inside


def tone_of(finding: Finding) -> Tone:
    """How a finding is meant."""
    return _TONES[finding.severity]


def verdict_words(description: Description) -> str:
    """What a file is and whether it is whole, on one line."""
    verdict = file_verdict(description)
    return f"{verdict.what}: {verdict.words}"


def file_verdict(description: Description) -> FileVerdict:
    """What a file is, and whether all checks of it hold."""
    what = f"{KINDS[description.kind].words}, {bytes_and_units(description.size)}"
    own = sum(finding.severity is Severity.ERROR for finding in description.findings)
    if own:
        return FileVerdict(what, f"{own} error{'s' if own > 1 else ''}", good=False)
    checked = description.checksums or KINDS[description.kind].own_checks
    words = "all checks hold" if checked else "nothing wrong; it has no checks"
    # What is no error: a copy of the SDK's parameters, beside which there is another one.
    if not all(check.ok for _, check in description.checksums):
        words = "no error, but not all checks hold"
    active = None if description.state is None else description.state.active_slot
    if active is not None and active.nothing:
        return FileVerdict(what, f"{words}, but nothing starts", good=False)
    return FileVerdict(what, words, good=True)


def code_of_descriptions(descriptions: Iterable[Description]) -> int:
    """The exit code of ``inspect``: the highest of all its files."""
    return max(_code_of_description(description) for description in descriptions)


def _code_of_description(description: Description) -> int:
    if description.foreign:
        return _FOREIGN
    return 0 if description.ok else _DAMAGED
