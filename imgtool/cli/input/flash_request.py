"""The words of ``imgtool flash`` and ``verify`` as what is asked for: request, order, ports.

Parsing and the reading of files; nothing is planned here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

import typer

from imgtool.cli.input.options import images_of
from imgtool.engine.placing import size_name
from imgtool.errors import UsageError
from imgtool.operations.flashing import waivers

if TYPE_CHECKING:
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.operations.flashing.plan import FlashRequest, Target

__all__ = [
    "CHECKS",
    "DETECT",
    "KEEP",
    "VERIFY",
    "DetectSizeOption",
    "ForceOption",
    "OldDetectSizeOption",
    "Order",
    "checks_of",
    "request_of",
    "target_of",
]

DETECT: Final = "detect"
KEEP: Final = "keep"
VERIFY: Final = ("auto", "readback", "none")
CHECKS: Final = (*waivers.CHECKS, waivers.PROTECTION)

ForceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--force",
        metavar="CHECK",
        help=f"Go on in spite of a check: {', '.join(CHECKS)}.",
        show_default=False,
    ),
]
DetectSizeOption = Annotated[
    str, typer.Option("--flash-size", metavar="SIZE", help="detect, keep, or a size such as 4MB.")
]
OldDetectSizeOption = Annotated[
    str | None,
    typer.Option(
        "-fs", metavar="SIZE", help="As --flash-size; also 4m to 32m (megabits).", show_default=False
    ),
]


@dataclass(frozen=True)
class Order:
    """What is to be done to every board.

    Attributes:
        request: What is to be written.
        options: How to connect.
        diff: Whether what the flash holds already is left alone.
        verify: ``auto``, ``readback`` or ``none``.
        unprotect: Whether a write protection may be removed.
        boot_check: Whether to look at how the firmware starts.
        dry_run: Whether only to plan.
    """

    request: FlashRequest
    options: ConnectOptions
    diff: bool
    verify: str
    unprotect: bool
    boot_check: bool
    dry_run: bool


def checks_of(words: list[str]) -> frozenset[str]:
    """The checks that ``--force`` names.

    Raises:
        UsageError: There is no such check.
    """
    for word in words:
        if word not in CHECKS:
            raise UsageError("there is no such check", expected=", ".join(CHECKS), found=word)
    return frozenset(words)


def request_of(
    images: list[str] | None,
    *,
    header: tuple[str, str],
    sizes: tuple[str, str | None],
    init: tuple[str, list[str]],
    fresh: bool = False,
    erase_all: bool = False,
    force: frozenset[str] = frozenset(),
) -> tuple[FlashRequest, str | None]:
    """What is to be written, by the words of the command line, and a note on the spelling of the size.

    Args:
        images: ``IMAGES``.
        header: ``-fm`` and ``-ff``.
        sizes: ``--flash-size`` and ``-fs``.
        init: ``--init-data`` and ``--set``.
        fresh: ``--fresh-settings``.
        erase_all: ``--erase-all``.
        force: ``--force``.

    Raises:
        UsageError: A word that has no meaning, or a file that cannot be read.
    """
    from imgtool.cli.input.placing import found_here, header_change, init_source, pieces_of
    from imgtool.operations.flashing.plan import FlashRequest

    choice, note = _size_choice(*sizes)
    change, _ = header_change(*header)
    pieces, named = pieces_of(images_of(images) if images else found_here())
    request = FlashRequest(
        tuple(pieces),
        tuple(named),
        change,
        choice,
        init_source(*init),
        fresh_settings=fresh,
        erase_all=erase_all,
        force=force,
    )
    return request, note


def _size_choice(size: str, old_size: str | None) -> tuple[str, str | None]:
    """``detect``, ``keep`` or the name of a size, and a note on how it was spelled."""
    if old_size is not None and size.lower() != DETECT:
        raise UsageError(
            "two flash sizes are given", expected="--flash-size or -fs", found=f"{size} and {old_size}"
        )
    word = size if old_size is None else old_size
    if word.lower() in (DETECT, KEEP):
        return word.lower(), None
    try:
        return size_name(word, short=old_size is not None)
    except UsageError as error:
        raise UsageError(error.message, expected=f"{DETECT}, {KEEP}, {error.expected}", found=word) from None


def target_of(session: Session) -> Target:
    """What a plan has to know of a device."""
    from imgtool.operations.flashing.plan import Target

    chip, flash_chip = session.chip, session.flash
    return Target(chip.model, chip.embedded, chip.mac, flash_chip.id, flash_chip.bytes, flash_chip.part)
