"""Which flash size, mode and frequency the image at address 0 is written with, for the chip that was found.

Only two bytes of a header are decided here.  Not the rest of the plan: that is plan.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import FLASH_SIZES, flash_size
from imgtool.errors import FormatError, LayoutError
from imgtool.formats.kinds import KINDS, Starter
from imgtool.formats.reading import Finding, Severity
from imgtool.layout.fit import built_size, size_for, told_findings
from imgtool.layout.generations import generation_of
from imgtool.operations.assemble.extras import table_of
from imgtool.operations.assemble.fullimage import mode_advice
from imgtool.operations.assemble.merge import header_cover, patched
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.flashing.checks import waive

if TYPE_CHECKING:
    from imgtool.chip import FlashSize
    from imgtool.formats.reading import Header
    from imgtool.layout.traits import BuiltSize
    from imgtool.operations.flashing.checks import FlashContent
    from imgtool.operations.inspect.describe import Description

__all__ = ["DETECT", "KEEP_SIZE", "FoundFlash", "HeaderPlan", "decide_header"]

DETECT: Final = "detect"
"""Size choice: what the chip has, as far as the firmware can use it and is not built for another."""

KEEP_SIZE: Final = "keep"
"""Size choice: what the image says."""

_EMBEDDED_MODE: Final = "dout"


@dataclass(frozen=True, slots=True)
class FoundFlash:
    """What the header depends on: bytes of the flash (None unknown), and whether it is in the package."""

    flash_bytes: int | None
    embedded: bool


@dataclass(frozen=True, slots=True)
class HeaderPlan:
    """What was decided about the header.

    Attributes:
        first: The piece for address 0, as it is to be written.
        flash: The flash size that the firmware will read from it; None where its code has no meaning.
        header: The header as it will be.
        changes: What differs from the file, in words.
        findings: What is to be said.
    """

    first: Piece
    flash: FlashSize | None
    header: Header
    changes: tuple[str, ...]
    findings: tuple[Finding, ...]


def decide_header(
    content: FlashContent, chip: FoundFlash, asked: HeaderChange, choice: str, force: frozenset[str]
) -> HeaderPlan:
    """Decide on the header of the image at address 0, which must be one.

    Args:
        content: What is written.
        chip: What it is written to.
        asked: Mode and frequency, and the size that is asked for by name.
        choice: Where ``asked`` names no size: ``detect`` or ``keep``.
        force: The checks that are waived.

    Raises:
        FormatError: Check ``mode`` or ``size``: the header cannot be changed.
        LayoutError: Check ``fit`` or ``size``: it states, or is to state, more flash than there is.
    """
    first = content.pieces[0][0]
    if content.main is None or content.main.header is None:
        raise FormatError("there is no image header at address 0 to change", source=first.name, offset=0)
    header = content.main.header
    if content.dump:
        findings = _of_dump(content, header, chip, asked, force)
        return HeaderPlan(first, header.flash_size, header, (), tuple(findings))
    size, why, findings = _size(content, header, chip, asked.size or choice, force)
    mode, freq = asked.mode, asked.freq
    automatic = mode is None and chip.embedded
    if automatic:
        mode = _EMBEDDED_MODE
    elif chip.embedded and mode != _EMBEDDED_MODE:
        message = f"the mode {mode} was asked for, but an ESP8285 starts only with {_EMBEDDED_MODE}"
        findings.append(Finding(Severity.WARNING, "flash-mode", message, 2))
    change = HeaderChange(
        None if mode == header.mode else mode,
        None if freq == header.freq else freq,
        None if size is None or size.name == header.size else size.name,
    )
    changes: list[str] = []
    if change.any:
        if content.first is None or header_cover(content.first) is None:
            first = patched(first, change, content.first)
            changes = _in_words(change, header, why, automatic=automatic)
        else:
            findings += _unchangeable(content, change, asked, chip, force)
    after = header._replace(mode_code=first.data[2], size_freq_code=first.data[3])
    if not chip.embedded and after.flash_size is not None and KINDS[content.main.kind].sdk_start:
        findings += mode_advice(after, after.flash_size)
    return HeaderPlan(first, after.flash_size, after, tuple(changes), tuple(findings))


def _size(
    content: FlashContent, header: Header, chip: FoundFlash, choice: str, force: frozenset[str]
) -> tuple[FlashSize | None, str, list[Finding]]:
    """The size for the header, why it is that one, and what is to be said."""
    stated, capacity = header.flash_size, chip.flash_bytes
    main = content.main
    findings: list[Finding] = []
    starter = None if main is None else KINDS[main.kind].brings
    firmware = None if main is None else main.firmware
    if choice not in (DETECT, KEEP_SIZE):
        named = flash_size(choice)
        if capacity is not None and named.bytes > capacity:
            findings.append(waive(_too_large(named, capacity, content.name, "asked for"), "fit", force))
        return named, "as asked", [*findings, *told_findings(named, stated, firmware, starter)]
    if choice == KEEP_SIZE or capacity is None or main is None:
        told = () if stated is None else told_findings(stated, stated, firmware, starter)
        return stated, "", [*_differs(stated, capacity), *told]
    built = built_size(firmware, starter)
    if built is not None and (stated is not None or starter is Starter.SDK):
        return stated, "", _kept(stated, capacity, content, built, force)
    return _fitted(content, stated, capacity, main, force)


def _kept(
    stated: FlashSize | None, capacity: int, content: FlashContent, built: BuiltSize, force: frozenset[str]
) -> list[Finding]:
    """What is to be said where the header keeps the size that the firmware is built for."""
    if stated is not None and stated.bytes > capacity:
        return [waive(_too_large(stated, capacity, content.name, "in the header"), "size", force)]
    main = content.main
    if main is not None and KINDS[main.kind].brings is Starter.SDK:
        message = f"the flash map in the header is kept: {built.why}"
        return [Finding(Severity.WARNING, "map-kept", message, 3)]
    if stated is None or stated.bytes == capacity:
        return []
    message = f"the header keeps {stated.name}, and the flash has {capacity:,} bytes: {built.why}"
    return [Finding(Severity.NOTE, "size-kept", message, 3)]


def _fitted(
    content: FlashContent, stated: FlashSize | None, capacity: int, main: Description, force: frozenset[str]
) -> tuple[FlashSize | None, str, list[Finding]]:
    """The largest size that the chip has and the firmware can use."""
    size = size_for(capacity, stated, main.firmware, table_of(main))
    if size is None:
        error = LayoutError(
            "this firmware works on no flash size that the chip has room for",
            source=content.name,
            offset=3,
            expected=f"at most {capacity:,} bytes",
            found="a code without a meaning" if stated is None else stated.name,
        )
        return stated, "", [waive(error, "fit", force)]
    findings: list[Finding] = []
    if stated is not None and stated.name.endswith("-c1"):
        message = f"the map {size.name} with its two slots of 1 MB is kept, as the firmware is built for it"
        findings.append(Finding(Severity.NOTE, "c1-kept", message, 3))
    largest = max((each for each in FLASH_SIZES if each.bytes <= capacity), key=lambda each: each.bytes)
    if size.bytes < largest.bytes:
        findings.append(_limited(size, largest, main))
    return size, "the capacity found" if size.bytes == capacity else "the largest that it knows", findings


def _limited(size: FlashSize, largest: FlashSize, main: Description) -> Finding:
    """That a firmware is told less than the chip has."""
    which = main.firmware
    name = "this firmware" if which is None else f"{which.name} {which.version or ''}".strip()
    sizes = generation_of(which, paged=table_of(main) is not None).sizes
    knows = f"{name} does not know {largest.name}"
    if largest.code in sizes.codes:
        knows = f"which SDK {name} has is not known, and an old one cannot use {largest.name}"
    rest = "its files stand behind that" if size.code == sizes.beyond else "the rest is not used"
    return Finding(Severity.WARNING, "size-limited", f"{knows}: it gets {size.name}, and {rest}", 3)


def _too_large(size: FlashSize, capacity: int, name: str, where: str) -> LayoutError:
    return LayoutError(
        f"the flash size {where} is larger than the flash",
        source=name,
        offset=3,
        expected=f"at most {capacity:,} bytes",
        found=size.name,
    )


def _differs(stated: FlashSize | None, capacity: int | None) -> list[Finding]:
    """What to say of a stated size that is kept."""
    if stated is None:
        message = "the size code in the image header has no meaning"
        return [Finding(Severity.WARNING, "flash-size-differs", message, 3)]
    if capacity is None or stated.bytes == capacity:
        return []
    message = (
        f"the image header says {stated.name}, the flash has {capacity:,} bytes: the SDK goes by the header"
    )
    return [Finding(Severity.WARNING, "flash-size-differs", message, 3)]


def _of_dump(
    content: FlashContent, header: Header, chip: FoundFlash, asked: HeaderChange, force: frozenset[str]
) -> list[Finding]:
    """A whole flash is written as it is; what does not agree with the chip is said."""
    findings: list[Finding] = []
    stated = header.flash_size
    if chip.flash_bytes is not None and stated is not None and stated.bytes > chip.flash_bytes:
        error = _too_large(stated, chip.flash_bytes, content.name, "in the header of this flash image")
        findings.append(waive(error, "fit", force))
    else:
        findings += _differs(stated, chip.flash_bytes)
    if chip.embedded and header.mode != _EMBEDDED_MODE:
        message = f"the mode {header.mode} in this flash image is kept, but an ESP8285 starts only with dout"
        findings.append(Finding(Severity.WARNING, "flash-mode", message, 2))
    wanted = ((asked.mode, header.mode), (asked.freq, header.freq), (asked.size, header.size))
    if any(name is not None and name != now for name, now in wanted):
        message = "the image of a whole flash is written unchanged: the changes to its header are not made"
        findings.append(Finding(Severity.WARNING, "header-kept", message, 2))
    return findings


def _unchangeable(
    content: FlashContent, change: HeaderChange, asked: HeaderChange, chip: FoundFlash, force: frozenset[str]
) -> list[Finding]:
    """What it means that a check over the header forbids to change it."""
    first = content.pieces[0][0]
    findings: list[Finding] = []
    try:
        patched(first, change, content.first)
    except FormatError as error:
        if asked.any:
            return [waive(error, "size" if asked.size else "mode", force)]
        if change.mode is not None:
            findings.append(waive(error, "mode", force))
    header = content.main.header if content.main is not None else None
    stated = None if header is None else header.flash_size
    if change.size is None or chip.flash_bytes is None:
        return findings
    if stated is None or stated.bytes > chip.flash_bytes:
        refusal = FormatError(
            "the header states more flash than there is, and a check covers it",
            source=first.name,
            offset=3,
            expected=change.size,
            found="a code without a meaning" if stated is None else stated.name,
        )
        return [*findings, waive(refusal, "size", force)]
    message = (
        f"the header keeps {stated.name}, as a check covers it; the flash has {chip.flash_bytes:,} bytes"
    )
    return [*findings, Finding(Severity.NOTE, "size-kept", message, 3)]


def _in_words(change: HeaderChange, header: Header, why: str, *, automatic: bool) -> list[str]:
    words: list[str] = []
    if change.mode is not None:
        reason = "as an ESP8285 starts only with that" if automatic else "as asked"
        words.append(f"header mode {header.mode or 'without a meaning'} -> {change.mode}, {reason}")
    if change.freq is not None:
        words.append(f"header frequency {header.freq or 'without a meaning'} -> {change.freq}, as asked")
    if change.size is not None:
        words.append(f"header size {header.size or 'without a meaning'} -> {change.size}, {why}")
    return words
