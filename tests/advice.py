"""Advice about bytes, as the tests of its rules ask for it: with the commands of the cures.

The job that users have is imgtool.engine.jobs.advise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from imgtool.chip import flash_size
from imgtool.engine.cures import filled
from imgtool.operations.advise.judgement import judge
from imgtool.operations.advise.old_flash import old_flash
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.draft import PlanRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.engine.spelling import Names
    from imgtool.operations.flashing.plan import Compare
    from imgtool.operations.upgrade.side import OldFlash
    from imgtool.operations.upgrade.values import FirmwareAdvice


def advise(
    old: OldFlash | bytes,
    new: bytes | Sequence[Piece],
    *,
    size: str | None = None,
    compare: Compare | None = None,
) -> FirmwareAdvice:
    """Say what an upgrade will do to what is in a flash.

    Args:
        old: The flash before: a dump, an image, or what :func:`old_flash` made of one.
        new: The new image: bytes for 0, or pieces with their addresses.
        size: Name of the flash's size, where ``old`` does not tell it.
        compare: Finds out what is there already; None to read it.

    Raises:
        FormatError: ``old`` is neither a dump nor an image.
        LayoutError: ``old`` does not tell the capacity, or pieces overlap.
    """
    if isinstance(old, bytes):
        old = old_flash(old, None if size is None else flash_size(size).bytes)
    pieces = (Piece(0, new, "NEW"),) if isinstance(new, bytes) else tuple(new)
    return _filled(old, PlanRequest(pieces, init_data=InitDataSource()), None, compare)


def advise_request(
    old: OldFlash, request: PlanRequest, names: Names, compare: Compare | None = None
) -> FirmwareAdvice:
    """The same about a request as ``imgtool flash`` makes it of a command line.

    Args:
        old: The flash before.
        request: What is to be written.
        names: What to call things in the commands.
        compare: Finds out what is there already; None to read it.

    Raises:
        LayoutError: Pieces overlap.
    """
    return _filled(old, request, names, compare)


def _filled(
    old: OldFlash, request: PlanRequest, names: Names | None, compare: Compare | None = None
) -> FirmwareAdvice:
    advice = judge(old, request, compare).advice
    return replace(advice, cures=tuple(filled(cure, names) for cure in advice.cures))
