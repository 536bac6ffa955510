"""A session with the chip at an open port, as all jobs on boards have it: how, connected, and started again.

Not the protocol (imgtool.device), and not the opening of ports by their names (imgtool.engine.ports).
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event
from imgtool.engine.choices import STUBS
from imgtool.engine.hints import WHILE_SILENT
from imgtool.errors import ChipError, FormatError, PortError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.device.events import Listener
    from imgtool.device.session import ConnectOptions, Session
    from imgtool.device.wire import Wire
    from imgtool.operations.flashing.draft import Target

__all__ = ["DeviceReader", "connect_options", "connected", "target_of"]

_SILENT: Final = "silent"
_USUAL_BAUD: Final = 115_200
_NEWS: Final = 0.1  # s between two events of a look at the flash


def connect_options(baud: int | None, stub: str, reset: str, *, no_stub: bool = False) -> ConnectOptions:
    """How to connect, from words.

    Args:
        baud: Highest speed; None for the fastest.
        stub: One of :data:`imgtool.engine.choices.STUBS`.
        reset: ``auto``, ``none``, or steps such as ``D0|R1|W0.1|R0``.
        no_stub: The same as the stub ``none``.

    Raises:
        UsageError: One of them makes no sense.
    """
    from imgtool.device.reset import parse_sequence  # noqa: PLC0415 - jobs on files need no chip
    from imgtool.device.session import ConnectOptions  # noqa: PLC0415 - likewise

    if stub not in STUBS:
        raise UsageError("not a flasher stub", expected=", ".join(STUBS), found=stub)
    if no_stub and stub not in ("auto", "none"):
        raise UsageError("two flasher stubs are asked for", expected="one", found=f"--stub {stub} --no-stub")
    if reset not in ("auto", "none"):
        try:
            parse_sequence(reset)
        except FormatError as error:
            raise UsageError(error.message, expected=error.expected, found=error.found) from None
    if baud is not None and baud <= 0:
        raise UsageError("not a speed", expected="baud, such as 460800", found=str(baud))
    return ConnectOptions(baud, "none" if no_stub else stub, reset)


@contextmanager
def connected(
    wire: Wire, options: ConnectOptions | None, on_event: Listener, *, run: bool = True
) -> Iterator[Session]:
    """A session with the chip at an open port; the port stays open for who opened it.

    Args:
        wire: The port.
        options: How to connect; None for the usual way.
        on_event: Told what happens.
        run: Whether the chip is reset into its firmware in the end, if it can be.

    Raises:
        ChipError: It is silent.
        PortError: The port is lost.
    """
    from imgtool.device.session import ConnectOptions, Session  # noqa: PLC0415 - jobs on files need no chip

    def hear(event: Event) -> None:
        on_event(replace(event, stage="note", message=WHILE_SILENT) if event.stage == _SILENT else event)

    options = options or ConnectOptions()
    try:
        session = Session.connect(wire, options, hear)
    except ChipError as error:
        if options.baud is not None and options.baud < _USUAL_BAUD:
            error.add_note(f"the chip was asked at {options.baud} baud: try it without --baud")
        raise
    yield session
    if run:
        with suppress(ChipError, PortError):
            session.run_firmware()


class DeviceReader:
    """Reads the flash for whoever plans; says that it does, as it takes its time without a stub.

    Args:
        session: The device.
        on_event: Told what happens.
    """

    def __init__(self, session: Session, on_event: Listener) -> None:
        self._session = session
        self._on_event = on_event
        self._clock = session.wire.clock
        self._told = self._clock.monotonic() - _NEWS

    def __call__(self, address: int, size: int) -> bytes:
        """The bytes from an address on."""
        from imgtool.operations.flashing.transfer import read_flash  # noqa: PLC0415 - jobs on files need no chip

        self._tell(address)
        return read_flash(self._session, address, size)

    def several(self, stretches: Sequence[tuple[int, int]]) -> list[bytes] | None:
        """Short stretches; None where that is no quicker than each by itself, when it must be read."""
        from imgtool.operations.flashing.transfer import read_each  # noqa: PLC0415 - jobs on files need no chip

        if not self._session.flasher.reads_at_once:
            return None
        self._tell(stretches[0][0])
        return read_each(self._session, stretches)

    @property
    def quick(self) -> bool:
        """Whether some ten kilobytes take no more than a second."""
        return self._session.flasher.digests

    def blank(self, start: int, size: int, /) -> bool | None:
        """Whether a stretch is erased, by a digest of the device; None where it makes none."""
        from imgtool.operations.flashing.transfer import is_blank  # noqa: PLC0415 - jobs on files need no chip

        if not self.quick:
            return None
        self._tell(start)
        return is_blank(self._session, start, size)

    def _tell(self, address: int) -> None:
        # Of some hundred reads of a few bytes nobody wants to hear one by one.
        if self._clock.monotonic() - self._told >= _NEWS:
            self._told = self._clock.monotonic()
            self._on_event(Event("read", message=f"what is at 0x{address:06x}"))


def target_of(session: Session) -> Target:
    """What a plan has to know of a device."""
    from imgtool.operations.flashing.draft import Target  # noqa: PLC0415 - jobs on files need no chip

    chip, flash = session.chip, session.flash
    return Target(chip.model, chip.embedded, chip.mac, flash.id, flash.bytes, flash.part)
