"""Which chip and which flash is at a port; also what is known of a flash ID that is given.

Not the finding out (imgtool.device.identity, imgtool.device.flash_chip).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imgtool.device.events import ignore
from imgtool.device.flash_chip import FlashChip
from imgtool.engine.chips import chip_fields, known_fields, known_rows
from imgtool.engine.connecting import connected
from imgtool.engine.documents import document
from imgtool.engine.results import Row, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE
from imgtool.errors import UsageError
from imgtool.phrase import Name
from imgtool.quantities import capacity

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.device.identity import ChipIdentity
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.engine.documents import Document
    from imgtool.engine.results import Output

__all__ = ["IdRequest", "IdResult", "identify"]

_HEX_ID: Final = re.compile(r"[0-9a-f]{6}\Z")
_SEPARATORS: Final = re.compile(r"[\s:,]|0x")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdRequest:
    """What is to be identified.

    Attributes:
        flash_id: A flash ID as people write them, such as ``e04016`` or ``e0 4016``; None for what is at the
            port.
        connect: How to connect; None for the usual way.
    """

    flash_id: str | None = None
    connect: ConnectOptions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdResult:
    """What is known of a chip and its flash.

    Attributes:
        chip: The chip; None where a flash ID was given.
        flash: The flash.
        document: What ``imgtool id --json`` prints.
        words: What a person is told.
        ok: True.
        code: 0.
        outputs: None.
    """

    chip: ChipIdentity | None
    flash: FlashChip
    document: Document = field(repr=False)
    words: Words = field(repr=False)
    ok: bool = True
    code: int = DONE
    outputs: tuple[Output, ...] = ()


def identify(wire: Wire | None, request: IdRequest, on_event: Listener = ignore) -> IdResult:
    """Say which chip and which flash is there, or what is known of a flash ID.

    Args:
        wire: An open port, which stays open; None where a flash ID is given.
        request: What is to be identified.
        on_event: Told what happens; what it raises stops the job.

    Raises:
        UsageError: It is no flash ID, or neither an ID nor a port is given.
        ChipError: The chip is silent, or its flash is.
        PortError: The port is lost.
        InterruptedRunError: It was stopped.
    """
    if request.flash_id is not None:
        return _of_flash(_parsed(request.flash_id))
    if wire is None:
        raise UsageError("there is nothing to identify", expected="a port, or a flash ID")
    with (
        stoppable("nothing was changed"),
        connected(wire, request.connect, on_event) as session,
    ):
        return _of_chip(session)


def _parsed(text: str) -> FlashChip:
    digits = _SEPARATORS.sub("", text.lower())
    if _HEX_ID.match(digits) is None:
        raise UsageError("not a flash ID", expected="six hex digits, such as e04016 or e0 4016", found=text)
    return FlashChip(bytes.fromhex(digits))


def _of_flash(flash: FlashChip) -> IdResult:
    fields = known_fields(flash)
    rows = [Row(*row) for row in known_rows(flash)]
    if fields["cite"]:
        rows.append(Row("known from", Name(fields["cite"])))
    return IdResult(
        chip=None,
        flash=flash,
        document=document("id", ok=True, results=[{"flash": fields}]),
        words=Words(verdict=_flash_words(flash), rows=tuple(rows)),
    )


def _of_chip(session: Session) -> IdResult:
    chip, flash = session.chip, session.flash
    heat = ", to 105 degrees" if chip.high_temperature else ""
    named = (
        ("chip", f"{chip.model}{heat}"),
        ("chip ID", f"{chip.chip_id} (0x{chip.chip_id:08x})"),
        ("MAC", chip.mac),
        ("crystal", f"{chip.crystal_mhz} MHz"),
        *known_rows(flash),
    )
    rows = tuple(Row(*each) for each in named)
    fields = {**chip_fields(session), "flash": known_fields(flash), "reset": session.reset_used}
    return IdResult(
        chip=chip,
        flash=flash,
        document=document("id", ok=True, results=[fields]),
        words=Words(
            verdict=f"{chip.model} with {_flash_words(flash)}", rows=tuple(Row(*row) for row in rows)
        ),
    )


def _flash_words(flash: FlashChip) -> str:
    """The flash, in a few words."""
    return f"a flash of {capacity(flash.bytes)}"
