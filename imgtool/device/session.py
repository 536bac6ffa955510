"""A connection to a chip from the first SYNC to the reset at the end, which heals itself where it can.

It finds the chip, identifies chip and flash, raises the speed of the line and starts a stub.  Not what is
done with the flash (imgtool.device.flasher, imgtool.operations.flashing.transfer).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice, repeat
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from imgtool.device import reset
from imgtool.device.events import Event, Listener, ignore
from imgtool.device.flash_chip import FlashChip, FlashRegisters
from imgtool.device.flasher import Flasher, KeptStatus, RomFlasher, StubFlasher, tell_capacity
from imgtool.device.identity import UART_DIVIDER, ChipIdentity, identify_chip
from imgtool.device.link import Link
from imgtool.device.own_stub import PROVEN_ON_SILICON, OwnFlasher, check_own_stub, runs_own_stub
from imgtool.device.port_errors import OneTimePortError
from imgtool.device.protocol import KNOWN_TO_ROM, RegisterWrite, change_baud, write_registers
from imgtool.device.stub import OWN, espressif_stubs, own_stub, start_stub
from imgtool.device.wire import Lines
from imgtool.errors import (
    ChipError,
    LineError,
    MissingStubError,
    PortError,
    ProtectedError,
    SilentError,
    StubLineError,
    WrongChipError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from imgtool.device.reset import Sequence
    from imgtool.device.stub import Stub
    from imgtool.device.wire import Wire

__all__ = ["BAUDS", "BOOT_BAUD", "STUB_CHOICES", "ConnectOptions", "Session"]

BAUDS: Final = (115_200, 230_400, 460_800, 921_600)
"""Speeds that are fallen back to, lowest first."""

BOOT_BAUD: Final = 74_880
"""Speed of the ROM's boot log with a 26 MHz crystal."""

STUB_CHOICES: Final = ("auto", "imgtool", "espressif", "none")

_FIRST_BAUD: Final = 115_200
_DIVIDER_BITS: Final = 0xF_FFFF
_SETTLE: Final = 0.05
_SWITCH_US: Final = 30_000  # from the request to the change of speed; the host changes in the middle of it
_REOPENS: Final = 7
# Whether a chip waits in its loader already is found out by so many questions, and so much patience for each.
_GLANCES: Final = 2
_GLANCE: Final = 0.1
_IDENTIFICATIONS: Final = 3
_HINT_AFTER: Final = 5.0  # s of silence


class _Attempt(NamedTuple):
    """One attempt to have an answer.

    Attributes:
        sequence: The reset before it; None for none.
        patience: Seconds to wait for each answer.
        times: How often the chip is asked.
    """

    sequence: Sequence | None
    patience: float
    times: int

    @property
    def name(self) -> str:
        """What it is called."""
        return "no reset" if self.sequence is None else self.sequence.name


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How to connect.

    Attributes:
        baud: Speed to work at; None for as high as the wire allows, 921600 at most.
        stub: ``auto``, ``imgtool``, ``espressif`` or ``none``.
        reset: ``auto``, ``none`` where the chip waits in its loader already, or a sequence of one's own.
        attempts: Rounds over the reset sequences, the last one again and again; None for as many as it takes
            to call a chip silent after 9 s at most.
    """

    baud: int | None = None
    stub: str = "auto"
    reset: str = "auto"
    attempts: int | None = None


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


class Session:
    """A connection to a chip.  Made by :meth:`connect`.

    Attributes:
        wire: The port.
        link: The exchange over it.
        options: How it was asked for.
        chip: Which chip it is.
        flash: Which flash it has.
        reset_used: Name of the sequence that brought the chip into its loader; ``none`` without one.
    """

    chip: ChipIdentity
    flash: FlashChip

    def __init__(self, wire: Wire, options: ConnectOptions, on_event: Listener) -> None:
        self.wire = wire
        self.options = options
        self.link = Link(wire)
        self.reset_used = "none"
        self._on_event = on_event
        self._flasher: Flasher | None = None
        self._registers = FlashRegisters(self.link, stub=False)
        self._status = KeptStatus()
        self._target = options.baud or min(wire.traits.highest_baud, BAUDS[-1])
        self._resident = False
        self._stub_name = "a stub that was there"
        self._sequence: Sequence | None = None
        self._hint_at = inf

    @classmethod
    def connect(
        cls,
        wire: Wire,
        options: ConnectOptions = ConnectOptions(),
        on_event: Listener = ignore,
    ) -> Self:
        """Bring the chip into its loader and find out what it is.

        Args:
            wire: An open port.
            options: How.
            on_event: Told what happens.

        Raises:
            ChipError: The chip is silent, is another one, or its flash does not answer.
            PortError: The port is lost.
        """
        session = cls(wire, options, on_event)
        problem: ChipError | None = None
        for _ in range(_IDENTIFICATIONS):
            session._enter_loader()
            try:
                session.chip = identify_chip(session.link)
                session.flash = session._registers.identify()
            except ChipError as error:
                # A disturbed line makes another chip of this one, too.
                problem = error
                on_event(Event("retry", message=error.phrase))
                continue
            return session
        raise problem or AssertionError

    @property
    def baud(self) -> int:
        """The speed of the line now."""
        return self.link.baud

    @property
    def target_baud(self) -> int:
        """The speed that is tried for."""
        return self._target if self.wire.traits.baud else self.link.baud

    @property
    def flasher(self) -> Flasher:
        """The way to work on the flash; the first use raises the speed and starts the stub.

        Raises:
            ChipError: The stub that was asked for does not start.
            PortError: The port is lost.
        """
        if self._flasher is None:
            self._flasher = self._start_flasher()
        return self._flasher

    def check_protection(self, *, remove: bool) -> None:
        """See that the flash lets itself be written.

        Args:
            remove: Whether to remove a protection.

        Raises:
            ChipError: It is write-protected, and stays so.
            PortError: The port is lost.
        """
        _ = self.flasher
        self._registers.attach()
        bits = self._registers.protection(self.flash)
        if bits and remove:
            self._registers.unprotect(self.flash)
            self._status.forget()
            self._on_event(Event("note", message="the write protection of the flash was removed"))
        elif bits:
            raise ProtectedError("the flash is write-protected", bits=bits)

    # Into the loader.

    @property
    def _resets(self) -> bool:
        """Whether resets are to be tried."""
        return self.options.reset != "none" and self.wire.traits.lines is not Lines.NONE

    def _attempts(self, *, asks: bool) -> Iterator[_Attempt]:
        """What is tried, in this order, to have an answer of the loader."""
        if self._sequence is not None:
            approach = reset.approach_by(self._sequence)
        elif self._resets:
            custom = None if self.options.reset == "auto" else reset.parse_sequence(self.options.reset)
            approach = reset.approach_for(self.wire, custom)
        else:
            approach = reset.WITHOUT_RESET
        asks = asks and approach.asks
        for each in islice(chain(approach.rounds, repeat(approach.rounds[-1])), self._rounds(approach)):
            if not each.sequences:
                yield _Attempt(None, each.patience, each.times)
            for sequence in each.sequences:
                if asks:
                    yield _Attempt(None, _GLANCE, _GLANCES)
                yield _Attempt(sequence, each.patience, each.times)

    def _rounds(self, approach: reset.Approach) -> int:
        return len(approach.rounds) if self.options.attempts is None else self.options.attempts

    def _enter_loader(self, *, asks: bool = True) -> None:
        """Reset the chip into its loader, by one sequence after the other, and synchronise.

        Args:
            asks: Whether a chip that answers without a reset may stay as it is.
        """
        # Without a reset the chip goes on at the speed that it has.
        bauds = tuple(dict.fromkeys((self.link.baud, min(_FIRST_BAUD, self._target))))
        self._flasher = None
        self.link.takes_more = False
        tried: list[str] = []
        self._hint_at = self.wire.clock.monotonic() + _HINT_AFTER
        for attempt in self._attempts(asks=asks):
            tried.append(attempt.name)
            if self._succeeds(attempt, bauds):
                self._sequence = attempt.sequence
                self.reset_used = "none" if attempt.sequence is None else attempt.name
                self._registers = FlashRegisters(self.link, stub=self._resident)
                return
        counts = {name: tried.count(name) for name in dict.fromkeys(tried)}
        apart = self._resets and self.wire.traits.lines is Lines.APART
        raise SilentError(
            "the chip does not answer"
            + ("; its port changes DTR and RTS one after the other" if apart else ""),
            source=self.wire.name,
            expected="an answer to SYNC",
            found="silence after " + ", ".join(f"{name} ({_times(n)})" for name, n in counts.items()),
            lines=Lines.APART.value if apart else None,
        )

    def _succeeds(self, attempt: _Attempt, bauds: tuple[int, ...]) -> bool:
        if attempt.sequence is None:
            self._on_event(Event("connect", message=attempt.name))
            return self._answers(bauds, attempt)
        with reset.held(attempt.sequence, self.wire):
            self._on_event(Event("connect", message=attempt.name))
            return self._answers(bauds[-1:], attempt)

    def _answers(self, bauds: tuple[int, ...], attempt: _Attempt) -> bool:
        for baud in bauds:
            self.link.set_baud(baud)
            # At two speeds it takes no longer.
            for _ in range(-(-attempt.times // len(bauds))):
                try:
                    self._resident = not self.link.sync(1, attempt.patience)
                except LineError:
                    self._tell_silence()
                    continue
                return True
        return False

    def _tell_silence(self) -> None:
        """Say once that nothing has answered for a while: somebody may lend a hand meanwhile."""
        if self.wire.clock.monotonic() >= self._hint_at:
            self._hint_at = inf
            self._on_event(Event("silent"))

    # Speed and stub.

    def _start_flasher(self) -> Flasher:
        stubs = self._stubs()
        if self._resident:
            if runs_own_stub(self.link):
                self._stub_name = OWN
            return self._flasher_over_stub()
        problem: ChipError | None = None
        for stub in stubs:
            if problem is not None:
                self._leave_stub(problem)
            try:
                return self._start(stub)
            except PortError:
                raise
            except ChipError as error:
                problem = error
                self._on_event(Event("retry", message=error.phrase))
                if isinstance(error, LineError):
                    self._lower()
        if problem is not None:
            if self.options.stub == "espressif":
                raise problem
            self._leave_stub(problem)
            self._on_event(Event("note", message="no flasher stub works; going on with the ROM loader alone"))
        self._raise_rom()
        self._registers.attach()
        return RomFlasher(self.link, self._registers, self.flash, self._status)

    def _leave_stub(self, problem: ChipError) -> None:
        """Back into the ROM loader after a stub that is of no use."""
        self._enter_loader(asks=False)
        if self._resident:
            # Without a reset line it stays there, and the ROM loader is out of reach.
            raise problem

    def _stubs(self) -> tuple[Stub, ...]:
        choice = self.options.stub
        if choice == "none":
            return ()
        # A second start is at a lower speed where the line was to blame; of Espressif's there are two anyway.
        own = (own_stub(),) * 2
        if choice == OWN:
            return own
        found = espressif_stubs()
        if choice == "espressif" and not found:
            raise MissingStubError(
                "no esptool with a flasher stub for the ESP8266 is installed", expected="esptool 5"
            )
        if choice == "espressif":
            return found
        # Until it is proven, a stub that others have used for years comes first.
        return (*own, *found) if PROVEN_ON_SILICON else found or own

    def _start(self, stub: Stub) -> Flasher:
        self._raise_rom()
        if self.flash.bytes is not None and self.flash.bytes > KNOWN_TO_ROM:
            # Stubs read and write by the ROM's routines, and Espressif's stub 2 tells them no size.
            tell_capacity(self.link, self.flash.bytes)
        total = stub.size
        start_stub(self.link, stub, lambda done: self._on_event(Event("upload", done, total)))
        self._registers = FlashRegisters(self.link, stub=True)
        if stub.name != OWN:
            self._registers.wait_ready()
        self._raise_stub()
        if stub.name != OWN and self._registers.read_id() != self.flash.id:
            raise StubLineError("the flasher stub sees another flash than the ROM does", source=stub.name)
        self._stub_name = stub.name
        return self._flasher_over_stub()

    def _flasher_over_stub(self) -> Flasher:
        """The way to work through the stub that runs; imgtool's own has to pass its self-check."""
        if self._stub_name != OWN:
            if self.flash.bytes is not None:
                tell_capacity(self.link, self.flash.bytes)
            return StubFlasher(self.link, self._stub_name)
        self.link.takes_more = True
        info = check_own_stub(self.link, self.flash.id, self.flash.bytes)
        return OwnFlasher(self.link, OWN, info.ring)

    def _raise_rom(self) -> None:
        """Raise the speed while the ROM runs, by writing the divider of its UART.

        The ROM has no command for it.  That a register write does it is modelled, and was not seen on
        silicon; so it is undone, and not tried again, when nothing is understood at the new speed.
        """
        link = self.link
        if not self.wire.traits.baud or self._target <= link.baud:
            return
        # What it was when the chip was identified; after another reset the ROM may have found one beside it.
        divider = round(self.chip.uart_hz / link.baud)
        wanted = max(1, round(divider * link.baud / self._target))
        was = link.baud
        try:
            self._switch_rom(self._target, divider, wanted)
            if link.read_register(UART_DIVIDER) & _DIVIDER_BITS == wanted:
                return
        except LineError:
            pass
        self._on_event(Event("note", message=f"the chip does not follow to {self._target} baud"))
        self._lower()
        # It has followed and is not understood, or it has not.
        self._switch_rom(was, wanted, divider)
        try:
            link.sync()
        except LineError:
            self._enter_loader()

    def _switch_rom(self, baud: int, now: int, then: int) -> None:
        """Have the ROM change its divider from one value to another, and follow it to that speed."""
        link = self.link
        writes = (
            RegisterWrite(UART_DIVIDER, now, _DIVIDER_BITS, _SWITCH_US),
            RegisterWrite(UART_DIVIDER, then, _DIVIDER_BITS),
        )
        link.send(write_registers(writes).build())
        link.drain()
        self.wire.clock.sleep(_SWITCH_US / 2e6)
        link.set_baud(baud)
        # Its answer comes at the new speed.
        self.wire.clock.sleep(_SWITCH_US / 1e6)
        link.forget()

    def _raise_stub(self) -> None:
        """Raise the speed of a stub that runs at 115200; it can do so once."""
        link = self.link
        if not self.wire.traits.baud or link.baud != _FIRST_BAUD or self._target <= link.baud:
            return
        link.request(change_baud(self._target))
        link.set_baud(self._target)
        self.wire.clock.sleep(_SETTLE)
        link.forget()

    def _lower(self) -> None:
        """Go on at a lower speed, where there is one that is lower."""
        self._target = max((baud for baud in BAUDS if baud < self._target), default=self._target)

    # When something goes wrong.

    def recover(self, error: ChipError | PortError) -> None:
        """Connect again after an error, at a lower speed where the line is to blame.

        Raises:
            ChipError: The chip does not answer any more, or is another one.
            PortError: The port does not come back.
        """
        if isinstance(error, PortError):
            self._reopen(error)
        elif isinstance(error, LineError):
            self._lower()
        before = self.chip
        self._enter_loader()
        self.chip = identify_chip(self.link)
        if self.chip.mac_bytes != before.mac_bytes:
            raise WrongChipError("another chip is on the port now", expected=before.mac, found=self.chip.mac)

    def _reopen(self, error: PortError) -> None:
        for _ in range(_REOPENS):
            self.wire.close()
            self.wire.clock.sleep(1.0)
            try:
                self.wire.reopen()
            except OneTimePortError:
                break
            except (OSError, PortError):
                continue
            return
        raise error

    # Leaving.

    def run_firmware(self, baud: int | None = None) -> bool:
        """Reset the chip into its firmware; False where nothing but the user can.

        Args:
            baud: The speed to listen at; None for that of the boot ROM.

        Raises:
            PortError: The port is lost.
        """
        if self.wire.traits.lines is Lines.NONE:
            return False
        self.link.set_baud(self.rom_baud if baud is None else baud)
        self.link.forget()
        reset.play(reset.HARD_RESET, self.wire)
        return True

    @property
    def rom_baud(self) -> int:
        """The speed at which the boot ROM speaks."""
        return BOOT_BAUD if self.chip.crystal_mhz == 26 else 115_200  # noqa: PLR2004

    def hear(self, seconds: float) -> bytes:
        """What has come since :meth:`run_firmware` and was not heard yet.

        Args:
            seconds: How long to wait for a first byte, where there is none.

        Raises:
            PortError: The port is lost.
        """
        return self.link.hear(seconds)

    def hear_at(self, baud: int) -> None:
        """Listen at another speed from now on.

        Raises:
            LineError: The port does not take it.
            PortError: The port is lost.
        """
        self.link.set_baud(baud)

    def close(self) -> None:
        """Close the port."""
        self.wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
