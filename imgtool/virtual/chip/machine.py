"""The virtual ESP8266: clock, memory map, straps, and what runs: the ROM loader, a program, a boot.

Not the line to a host (imgtool.virtual.line.link), and no waiting in real time: :meth:`VirtualChip.run`
computes until something is due that only its caller knows of.  Time is virtual, in nanoseconds since
power-on.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

from imgtool.chip import SECTOR
from imgtool.flash_parts import default_part
from imgtool.virtual.chip.addresses import answer_at, is_plain_register, swallows
from imgtool.virtual.chip.boot import BootOutcome, ResetCause, boot, download_banner
from imgtool.virtual.chip.faults import FaultInjector, FaultPlan
from imgtool.virtual.chip.ledger import INSTRUCTION_NS, Ledger
from imgtool.virtual.chip.loader import RomLoader
from imgtool.virtual.chip.nor import TYPICAL, NorFlash, PowerCut
from imgtool.virtual.chip.rom import INTERRUPT_RETURN, LOADER_RETURN, Rom
from imgtool.virtual.chip.rom_flash import RomFlash
from imgtool.virtual.chip.spi import SpiController
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.chip.uart import FIFO, FIFO_SIZE, STATUS, Uart
from imgtool.virtual.cpu.core import Core, Trap

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.flash_parts import FlashPart
    from imgtool.virtual.chip.boot import BootEvent, BootRun
    from imgtool.virtual.chip.nor import FlashTiming, Operation
    from imgtool.virtual.chip.store import Store

__all__ = [
    "BOOT_BAUD",
    "EMBEDDED_SIZES",
    "Activity",
    "ChipModel",
    "Setup",
    "Stop",
    "VirtualChip",
]

BOOT_BAUD: Final = 74_880
"""What the ROM prints at: 115200 meant for a 40 MHz crystal, made by one of 26 MHz."""

_MS: Final = 1_000_000
_WORD_SIZE: Final = 4
_PASSING_NS: Final = 1000 * _MS
_SLICE: Final = 4_000  # instructions between two looks at the interrupt line
_TIGHT_POLL: Final = 400  # instructions; a loop round a status read is shorter
_AT_ONCE: Final = 4096  # bytes that nobody takes are lost so many at a time
_CROWDED_FIFO: Final = FIFO_SIZE - 2 << 16  # in the status: no room for a byte
_FOREVER: Final = 1 << 62
_STACK: Final = 0x3FFF_FF80
_SPI_READ: Final = 0x4000_4B1C  # the ROM function; its third argument is the number of bytes
_SHORT_READ: Final = 4096  # bytes; such a read takes 0.8 ms
_INTERRUPT_FRAME: Final = 0x100
_INTERRUPT_COST: Final = 80  # instructions that the ROM's dispatcher takes (assumed)
_LONGEST_HANDLER: Final = 2_000_000
_INTERRUPT_LEVEL: Final = 0xF
_UART_INTERRUPT: Final = 5
_DATE: Final = (0x4000_1000, 0xFFF0_C101)

_FATAL_VIOLATIONS: Final = ("no write enable", "busy")
_UART0: Final = 0x6000_0000
_SPI0: Final = 0x6000_0200
_READ_STATUS: Final = 1 << 27
_USER_COMMAND: Final = 1 << 18
_USER2: Final = 0x24
_STATUS_OPCODE: Final = 0x05
_DPORT: Final = 0x3FF0_0000
_BLOCK: Final = 0x100

# The ROM sets the first bit to stop the cache of the flash, and waits for the second.
_CACHE: Final = 0x3FF0_000C
_STOP_CACHE: Final = 1 << 0
_CACHE_STOPPED: Final = 1 << 1

# IO MUX: SD_CLK, SD_DATA0 to 3, SD_CMD; function 1 of each is the flash's SPI.  Names and bits: eagle_soc.h
# of https://github.com/espressif/ESP8266_NONOS_SDK; the ROM's SelectSpiFunction writes these six.
_FLASH_PINS: Final = range(0x6000_081C, 0x6000_0834, 4)
_PIN_FUNCTION: Final = 0x130
_PIN_SPI: Final = 0x10

# Bits that real chips have set beside those of the MAC address, which hosts do not ask for (a trace in
# https://github.com/espressif/esptool/issues/620); an SDK refuses to run where bit 15 of the third is 0.
_EFUSES: Final = {0x54: 0x0200_0000, 0x58: 0xF200_B000, 0x5C: 0}

_OUI_18FE34: Final = bytes.fromhex("18fe34")
_OUI_ACD074: Final = bytes.fromhex("acd074")
_DEFAULT_MAC: Final = bytes.fromhex("18fe34a1b2c3")


EMBEDDED_SIZES: Final = {
    0x10_0000: {0x50: 1 << 4},
    0x20_0000: {0x50: 1 << 4, 0x5C: 1 << 26},
    0x40_0000: {0x58: 1 << 16, 0x5C: 1 << 25 | 1 << 26},
}
"""Efuse bits of an ESP8285 by the size of its flash, as hosts read them (rows that esptool names)."""


class ChipModel(Enum):
    """Which chip the efuses tell of."""

    ESP8266 = "esp8266"
    ESP8285 = "esp8285"


@dataclass(frozen=True)
class Setup:
    """What a virtual chip is made of.

    Attributes:
        part: The flash chip.
        store: Where its content is kept; memory, erased, where None.
        mac: The station's MAC address, 6 bytes.
        model: ESP8266 or ESP8285.
        plan: The faults it has.
        boot_writes: Whether a boot does the first-boot writes that firmware is documented to do.
        timing: How long the flash takes for what it does.
        latency_ns: The host's turn-round per request and reply.
        rise_ns: How long EN takes to rise when nothing pulls it any more; GPIO0 is read then.
    """

    part: FlashPart = field(default_factory=lambda: default_part(0x40_0000))
    store: Store | None = None
    mac: bytes = _DEFAULT_MAC
    model: ChipModel = ChipModel.ESP8266
    plan: FaultPlan = field(default_factory=FaultPlan)
    boot_writes: bool = False
    timing: FlashTiming = TYPICAL
    latency_ns: int = _MS
    rise_ns: int = 3 * _MS


class Activity(Enum):
    """What the chip does."""

    OFF = "off"
    HELD = "held in reset"
    LOADER = "ROM loader"
    PROGRAM = "program in RAM"
    BOOT = "boot from flash"
    FIRMWARE = "firmware"
    APPLICATION = "application"
    TRAPPED = "trapped"


class Stop(Enum):
    """Why :meth:`VirtualChip.run` came back."""

    DUE = auto()
    """The moment that was asked for is reached."""
    OUTPUT = auto()
    """There is output, and a host could have reacted to it by now."""
    SENT = auto()
    """Output has left :attr:`VirtualChip.linger_ns` ago, and more of it may follow at once."""
    STARTED = auto()
    """The loader has started a program, which has not run yet; the loader's answer is on its way."""
    IDLE = auto()
    """Nothing will happen without the host."""
    TIMED = auto()
    """The next thing happens at :attr:`VirtualChip.wake`, by the chip's own timing."""


class VirtualChip:
    """A virtual ESP8266 with its flash.

    Args:
        setup: What it is made of.

    Attributes:
        core: The processor.
        uart: UART0.
        flash: The SPI flash.
        activity: What it does at the moment.
        traps: What programs did that a real chip would not survive, or that is not emulated; oldest first.
        resets: Number of resets by cause.
        blank_pages: Pages programmed whose data was all 0xFF.
        wake: When the next thing happens, after ``Stop.TIMED``.
        listen: Called while time passes; takes what a host has sent meanwhile.
        linger_ns: How long output that has left may wait until it is taken, for a caller whose own time
            goes on meanwhile: :meth:`run` comes back then, and also before a program that was just started
            says its first word.
        timed: Whether pauses of the chip's own making end :meth:`run`, so that the caller can wait them out.
        slow_lines: Whether the host's changes of DTR and RTS come far apart, as they do over a network.
    """

    core_type: type[Core] = Core
    uart_type: type[Uart] = Uart

    def __init__(self, setup: Setup | None = None) -> None:
        self.setup = setup = setup or Setup()
        self.injector = FaultInjector(setup.plan)
        self._skipped = 0
        self._counted = 0
        self.core = self.core_type(self)
        self._working = self.core
        self.core.cycles = lambda: self.now * 52 // 1000
        self.uart = self.uart_type(self._clock)
        self.uart.on_side_effect = self._mark_side_effect
        self.uart.on_speaking = self._speaks
        # What programs use for each byte goes past the memory map.
        self.core.readers[_UART0 + FIFO] = self.uart.read_fifo
        self.core.readers[_UART0 + STATUS] = self._read_uart_status
        self.core.writers[_UART0 + FIFO] = self._write_uart_fifo
        store = setup.store or MemoryStore(setup.part.bytes)
        self.ledger = Ledger(setup.part.bytes)
        part = setup.part if setup.plan.jedec_id is None else replace(setup.part, id=setup.plan.jedec_id)
        self.flash = NorFlash(
            part,
            store,
            timing=setup.timing,
            on_operation=self._operated,
            disturb=self.injector.disturb,
        )
        self.flash.on_status_write = self._status_written
        if setup.plan.protect:
            self.flash.protect()
        self.spi = SpiController(self.flash)
        self._rom_flash = RomFlash(self)
        self.rom = Rom(self, self._rom_flash)
        self.loader = RomLoader(self, self._rom_flash)
        self.activity = Activity.OFF
        self.traps: list[Trap] = []
        self.resets: dict[str, int] = {}
        self.blank_pages = 0
        self.wake = 0
        self.linger_ns = _FOREVER
        self.timed = False
        self.slow_lines = False
        self.listen: Callable[[], None] = lambda: None
        self.reset_cause = ResetCause.POWER_ON
        self._dtr = self._rts = False
        self._strap_at: int | None = None
        self._in_interrupt = False
        self._returned = False
        self._starting = False
        self._poll_until: int | None = None
        self._last_poll = self._last_look = -_TIGHT_POLL
        self._until = _FOREVER
        self._violations = 0
        self._pause_until: int | None = None
        self._boot: list[tuple[int, BootEvent]] = []
        self._boot_run: BootRun | None = None
        self._registers: dict[int, int] = {}

    # Time.

    def _clock(self) -> int:
        return self._skipped + self._working.instructions * INSTRUCTION_NS

    def _work_with(self, core: Core) -> None:
        """Have the instructions of this core move the clock, from now on."""
        self._skipped += (self._working.instructions - core.instructions) * INSTRUCTION_NS
        self._working = core

    @property
    def now(self) -> int:
        """Nanoseconds since power-on."""
        return self._skipped + self._working.instructions * INSTRUCTION_NS

    def _skip_to(self, moment: int) -> None:
        now = self.now
        if moment > now:
            self._skipped += moment - now

    def settle(self) -> None:
        """Book the instructions since the last event."""
        done = self.core.instructions
        self.ledger.worked((done - self._counted) * INSTRUCTION_NS)
        self._counted = done

    def book_output(self) -> None:
        """Book what was sent since the last call: before whatever makes one column differ from another."""
        ns = self.uart.book()
        if ns:
            self.ledger.answered(ns)

    def _speaks(self) -> None:
        self.book_output()
        self.settle()
        self.ledger.speaks()

    def work(self, instructions: int) -> None:
        """Charge work that is not interpreted, such as a ROM function over so many bytes."""
        self._skipped += instructions * INSTRUCTION_NS
        self.ledger.worked(instructions * INSTRUCTION_NS)

    def spend(self, ns: int) -> None:
        """Charge time in which interrupts are served, such as a transfer from the flash."""
        self.settle()
        self.ledger.worked(ns)
        self.advance(self.now + ns)

    def digest(self, ns: int) -> None:
        """Charge a digest of flash content by the ROM."""
        self.book_output()
        self.settle()
        self.ledger.digested(ns, ns)
        self.advance(self.now + ns)

    def pause(self, ns: int) -> None:
        """A delay that a program asks for."""
        self.settle()
        self.ledger.worked(ns)
        if ns >= _MS and not self._in_interrupt and self.activity is Activity.PROGRAM:
            # Long enough that a caller may want to come in between.
            self._pause_until = self.now + ns
            self.core.stop = True
            return
        self.advance(self.now + ns)

    def advance(self, moment: int) -> None:
        """Let time pass until a moment, with interrupts served meanwhile."""
        while (now := self.now) < moment:
            self.listen()
            self.uart.deliver()
            if self._interrupt_due():
                self._interrupt()
                continue
            if self.uart.quiet:
                self._skip_to(moment)
                break
            change = self.uart.next_change()
            self._skip_to(moment if change is None else min(moment, max(change, now + 1)))
        if self.now >= self._break_at():
            self.core.stop = True

    # The host's view.

    def power_on(self, *, download: bool) -> None:
        """Switch on, with GPIO0 held low for download mode or left high to boot from flash; if on, reset."""
        cause = ResetCause.POWER_ON if self.activity is Activity.OFF else ResetCause.EXTERNAL
        self._reset(cause, download=download)

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """The host's DTR and RTS; True is asserted, which is a low pin.

        Two transistors cross them, so that both asserted pull neither pin: EN is low for RTS alone, GPIO0 for
        DTR alone.  GPIO0 is read when EN has risen, which takes its capacitor some milliseconds.
        """
        if (dtr, rts) == (self._dtr, self._rts):
            return
        self._dtr, self._rts = dtr, rts
        if rts and not dtr:
            if self.activity is not Activity.HELD:
                self._stop_everything()
                self.activity = Activity.HELD
            self._strap_at = None
        elif self.activity is Activity.HELD:
            if self.slow_lines and dtr and rts:
                # Hosts go through both asserted on their way.  Over a network that takes longer than the
                # capacitor.
                self._strap_at = self.now + _PASSING_NS
            elif self.slow_lines or self._strap_at is None:
                # EN rises from when nothing pulls it any more, whatever the other line does meanwhile.
                self._strap_at = self.now + self.setup.rise_ns

    def _strapped_for_download(self) -> bool:
        return self._dtr and not self._rts

    # Resets.

    def _reset(self, cause: ResetCause, *, download: bool) -> None:
        self._stop_everything()
        self.reset_cause = cause
        self.resets[cause.name.lower()] = self.resets.get(cause.name.lower(), 0) + 1
        if download:
            self.loader.reset()
            self.uart.set_up_by_rom()
            self.activity = Activity.LOADER
            self.uart.send(download_banner(cause), baud=BOOT_BAUD)
        else:
            self.boot_flash()

    def _stop_everything(self) -> None:
        # The flash keeps what it was doing: only its power resets it.
        self.uart.reset()
        self.rom.reset()
        self._rom_flash.reset()
        self.spi.reset()
        self._registers.clear()
        self.flash.attached = False
        self._poll_until = self._pause_until = self._strap_at = None
        self._in_interrupt = self._starting = False
        self._boot.clear()
        self._boot_run = None
        self.core.stop = True
        self.core.waiting = False
        self.core.ps = 0

    def reset_by_software(self) -> None:
        """As ``software_reset`` of the ROM does; GPIO0 is read again.  The cause stays what it was."""
        self._reset(self.reset_cause, download=self._strapped_for_download())

    def boot_flash(self, *, continued: bool = False) -> None:
        """Do as the ROM does with the flash at hand.

        Args:
            continued: Whether the loader was left for it, rather than the chip reset: then the ROM has said
                who it is, and goes on at the speed that it has measured.
        """
        if continued and not self.flash.attached:
            raise Trap("the boot ROM waits for ever for a flash that its pins are not switched to")
        self.activity = Activity.BOOT
        self.flash.attached = True
        run = boot(self._flash_content(), self.reset_cause, writes=self.setup.boot_writes)
        self._boot_run = run
        at = self.now
        for number, event in enumerate(run.events):
            if continued and number == 0:
                continue  # the banner
            at += event.after_ns
            later = replace(event, baud=self.uart.baud) if continued and event.baud == BOOT_BAUD else event
            self._boot.append((at, later))

    def _flash_content(self) -> bytes:
        return self.flash.read(0, self.flash.length)

    def start(self, entry: int) -> None:
        """Jump to a program in RAM, as MEM_END does."""
        core = self.core
        core.a[0], core.a[1], core.pc = LOADER_RETURN, _STACK, entry
        core.ps = 0
        self.activity = Activity.PROGRAM
        self._starting = True

    # Running.

    def run(self, until: int | None = None) -> Stop:
        """Compute until a moment, until a host may have reacted, or until nothing is left to do."""
        self._until = _FOREVER if until is None else until
        while True:
            if until is not None and self.now >= until:
                return Stop.DUE
            if self._host_may_react():
                return Stop.OUTPUT
            if self.output_due <= self.now:
                return Stop.SENT
            pause = self._step(until)
            if pause is not None:
                return pause

    def _host_may_react(self) -> bool:
        last = self.uart.pending
        return last is not None and (self.uart.crowded or self.now >= last + self.setup.latency_ns)

    @property
    def output_due(self) -> int:
        """When output has to be taken that has left or is about to: far away where there is none."""
        oldest = self.uart.oldest
        return _FOREVER if oldest is None else oldest + self.linger_ns

    def _break_at(self) -> int:
        """When a program that does not pause should be left, so that :meth:`run` can come back."""
        return min(self._until, self.output_due)

    def _step(self, until: int | None) -> Stop | None:  # noqa: PLR0911 - one for each thing it may do
        if self._strap_at is not None:
            if self.now >= self._strap_at:
                self._reset(ResetCause.EXTERNAL, download=self._strapped_for_download())
                return None
            return self._wait_until(self._strap_at, until)
        if self.activity is Activity.LOADER:
            return self._step_loader(until)
        if self.activity is Activity.PROGRAM:
            return self._step_program(until)
        if self.activity is Activity.BOOT:
            return self._step_boot(until)
        # Nobody listens: what arrives is lost.
        self.uart.take()
        arrival = self.uart.arrival_of(_AT_ONCE)
        if arrival is not None:
            self._skip_to(arrival)
            self.uart.deliver()
            return None
        return self._idle()

    def _idle(self) -> Stop:
        last = self.uart.pending
        if last is None:
            return Stop.IDLE
        if self.output_due < last:
            self._skip_to(self.output_due)
            return Stop.SENT
        self._skip_to(last)
        return Stop.OUTPUT

    def _wait_until(self, moment: int, until: int | None) -> Stop | None:
        last = self.uart.pending
        limits = [moment, self.output_due]
        if until is not None:
            limits.append(until)
        if last is not None:
            limits.append(last + self.setup.latency_ns)
        elif self.timed:
            self.wake = moment
            if self.now < moment:
                return Stop.TIMED
        self._skip_to(min(limits))
        return None

    def pass_time(self, moment: int) -> None:
        """Move the clock on to a moment at which nothing else was due (the caller has waited for it)."""
        self._skip_to(moment)

    # The ROM loader.

    def _received(self) -> None:
        self.book_output()
        self.ledger.received(self.uart.on_the_line, self.uart.step)

    def _step_loader(self, until: int | None) -> Stop | None:
        self.uart.deliver()
        data = self.uart.take()
        if data:
            self._received()
            try:
                self.loader.feed(data)
            except Trap as trap:
                self._trapped(trap)
            except PowerCut:
                self._power_cut()
            return None
        arrival = self.uart.arrival_of(64)
        if arrival is None:
            return self._idle()
        self._skip_to(arrival if until is None else min(arrival, max(until, self.now)))
        return None

    # Programs in RAM.

    def _step_program(self, until: int | None) -> Stop | None:
        if self._starting:
            self._starting = False
            if self.uart.sending and self.linger_ns < _FOREVER:
                # The host gets the loader's answer before what the program has to say.
                return Stop.STARTED
        if self._pause_until is not None:
            if self.now < self._pause_until:
                return self._step_pause(self._pause_until, until)
            self._pause_until = None
        if self._poll_until is not None:
            return self._step_poll()
        return self._step_slice(until)

    def _step_slice(self, until: int | None) -> Stop | None:
        core = self.core
        start = self.now
        try:
            core.stop = False
            idle = core.run(self._slice())
            self.uart.deliver()
            if self._interrupt_due():
                self._interrupt()
                return None
        except Trap as trap:
            self._trapped(trap)
            return None
        except PowerCut:
            self._power_cut()
            return None
        if self._returned:
            self._returned = False
            self._program_returned()
            return None
        if self._held:
            self._held = False
            self._pause_until = self.uart.quiet_at
            return Stop.SENT if self._ends_at_once() else Stop.OUTPUT
        if self._waits_in_rom:
            self._waits_in_rom, idle = False, True
        return self._program_idle(start, until) if idle else None

    _held = False
    _waits_in_rom = False

    def _ends_at_once(self) -> bool:
        """Whether the ROM function that comes next ends before a host can have reacted to the output."""
        reads = self.core.pc == _SPI_READ and self.core.a[4] <= _SHORT_READ
        return reads and self.flash.busy_until <= self.now

    def _step_pause(self, moment: int, until: int | None) -> Stop | None:
        self.listen()
        self.uart.deliver()
        if self._interrupt_due():
            self._guarded(self._interrupt)
            return None
        change = self.uart.next_change()
        if change is not None and self.uart.can_interrupt:
            if self.uart.quiet:
                # Bytes that leave change nothing.
                change = max(change, self._break_at())
            self._skip_to(min(change, moment))
            return None
        return self._wait_until(moment, until)

    def _slice(self) -> int:
        change = self.uart.next_change()
        if change is None:
            return _SLICE
        return max(1, min(_SLICE, (change - self.now) // INSTRUCTION_NS + 1))

    def _step_poll(self) -> Stop | None:
        """The program polls the flash: skip to its end, or to what comes first."""
        moment = self._poll_until or 0
        change = self.uart.next_change()
        last = self.uart.pending
        limits = [moment, max(self.output_due, self.now + 1)]
        if change is not None and self.uart.can_interrupt:
            limits.append(max(change, self.now + 1))
        if last is not None:
            limits.append(max(last + self.setup.latency_ns, self.now + 1))
        self._skip_to(min(limits))
        self._poll_until = None
        self.listen()
        self.uart.deliver()
        if self._interrupt_due():
            self._guarded(self._interrupt)
        return None

    def wait_for_input(self) -> None:
        """The program goes round in the ROM until a byte has come on the line."""
        self._waits_in_rom = True
        self.core.stop = True

    # UART0 as programs use it for each byte.

    def _write_uart_fifo(self, value: int) -> None:
        # A host cannot react before the byte has reached it, and run() looks at that.
        self.uart.put(value)
        if self.uart.crowded:
            self.core.stop = True

    def _read_uart_status(self) -> int:
        value = self.uart.read_status()
        if value >= _CROWDED_FIFO:
            # The transmit FIFO is full.  In a tight loop nothing else is done until a byte has left.
            done = self.core.instructions
            if done - self._last_look < _TIGHT_POLL // 8 and self.activity is Activity.PROGRAM:
                self._wait_in_poll(self.uart.departs_at)
            self._last_look = done
        return value

    def _wait_in_poll(self, moment: int) -> None:
        """The program does nothing until a moment: skip to it, at once where nobody else has a say in it."""
        alone = self.uart.quiet and not self.uart.interrupt and not self._in_interrupt
        if alone and moment < self._break_at():
            self._skip_to(moment)
        else:
            self._poll_until = moment
            self.core.stop = True

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Trap as trap:
            self._trapped(trap)
        except PowerCut:
            self._power_cut()

    def _program_idle(self, since: int, until: int | None) -> Stop | None:
        """The program has gone round without effect, and does until something outside it changes."""
        change = self.uart.next_change()
        moments = [m for m in (change, self.spi.ready_at) if m is not None and m > self.now]
        if not moments:
            # A transfer that has ended while it went round has not been looked at yet.
            return None if self.spi.ready_at > since else self._idle()
        moment = min(moments)
        if until is not None:
            moment = min(moment, until)
        last = self.uart.pending
        if last is not None and self.uart.on_the_line == 0:
            moment = min(moment, max(last + self.setup.latency_ns, self.now + 1))
        self._counted = self.core.instructions  # rounds without effect are no work
        if moment == self.spi.ready_at:
            self.ledger.worked(moment - self.now)
        self._skip_to(moment)
        return None

    def _program_returned(self) -> None:
        if self.rom.user_start is not None:
            entry, self.rom.user_start = self.rom.user_start, None
            self.core.a[0], self.core.a[1], self.core.pc = LOADER_RETURN, _STACK, entry
            return
        # ets_main says so, and waits for interrupts: it does not go back to the loader.
        self.uart.send(b"user code done\r\n")
        self.activity = Activity.APPLICATION

    def _interrupt_due(self) -> bool:
        return (
            not self._in_interrupt
            and self.activity is Activity.PROGRAM
            and self.uart.interrupt
            and bool(self.rom.unmasked >> _UART_INTERRUPT & 1)
            and _UART_INTERRUPT in self.rom.handlers
            and not self.core.ps & _INTERRUPT_LEVEL
        )

    def _interrupt(self) -> None:
        """Run the handler to its end, as the ROM's dispatcher would, and restore the registers."""
        core = self.core
        handler, argument = self.rom.handlers[_UART_INTERRUPT]
        saved = (list(core.a), core.pc, core.sar, core.ps, core.stop)
        self._received()
        self.work(_INTERRUPT_COST)
        core.a[0] = INTERRUPT_RETURN
        core.a[1] -= _INTERRUPT_FRAME
        core.a[2] = argument
        core.pc, core.ps = handler, core.ps | 1
        core.waiting = False
        self._in_interrupt = True
        limit = core.instructions + _LONGEST_HANDLER
        try:
            while self._in_interrupt:
                core.stop = False
                if core.run(_SLICE) or core.instructions > limit:
                    raise Trap("an interrupt handler does not return")
                if self.activity is not Activity.PROGRAM:
                    return
        finally:
            self._in_interrupt = False
        core.a[:], core.pc, core.sar, core.ps, core.stop = saved

    def _trapped(self, trap: Trap) -> None:
        self.traps.append(trap)
        self._in_interrupt = False
        self.activity = Activity.TRAPPED

    def _power_cut(self) -> None:
        self._stop_everything()
        self.flash.power_on()
        self.activity = Activity.OFF

    # A boot from flash.

    def _step_boot(self, until: int | None) -> Stop | None:
        self.uart.deliver()
        self.uart.take()
        if self._boot:
            at, event = self._boot[0]
            if self.now < at:
                return self._wait_until(at, until)
            self._boot.pop(0)
            if event.text:
                self.uart.baud = event.baud
                end = self.uart.send(event.text)
                # What follows comes after the last byte has left.
                late = end - at
                self._boot = [(moment + late, later) for moment, later in self._boot]
            if event.write is not None:
                address, data = event.write
                self._guarded(lambda: self._boot_write(address, data))
            return None
        if self.now < self.uart.quiet_at:
            return self._wait_until(self.uart.quiet_at, until)
        run = self._boot_run
        if run is not None and run.outcome is BootOutcome.BOOT_LOOP and run.next_cause is not None:
            self._reset(run.next_cause, download=self._strapped_for_download())
            return None
        self.activity = Activity.APPLICATION
        return None

    def _boot_write(self, address: int, data: bytes) -> None:
        for sector in range(address - address % SECTOR, address + max(1, len(data)), SECTOR):
            self.erase("sector", sector)
        self.program(address, data)

    @property
    def last_boot(self) -> BootRun | None:
        """What the boot that goes on, or has ended, found."""
        return self._boot_run

    # The flash, for the ROM's functions.

    def attach_flash(self) -> None:
        """Switch the SPI pins to the flash, and set up its controller as the ROM does."""
        for pin in _FLASH_PINS:
            self.write(pin, self.read(pin, _WORD_SIZE) & ~_PIN_FUNCTION | _PIN_SPI, _WORD_SIZE)

    def flash_status(self) -> int:
        """Its first status register."""
        return self.flash.transact(self.now, b"\x05", 1)[0]

    def wait_for_flash(self) -> None:
        """Wait as the ROM does before each of its SPI functions."""
        self.book_output()
        self.settle()
        self.ledger.waited()
        self.advance(self.flash.busy_until)

    def erase(self, kind: str, address: int) -> None:
        """Erase a unit and wait until it is done."""
        self.wait_for_flash()
        self.flash.erase(self.now, kind, address)
        self.wait_for_flash()

    def program(self, address: int, data: bytes) -> None:
        """Program bytes, a page at a time, and wait until each is done."""
        page = 256
        at = 0
        while at < len(data):
            step = page - (address + at) % page
            self.wait_for_flash()
            self.flash.program(self.now, address + at, data[at : at + step])
            at += step
        self.wait_for_flash()

    def _status_written(self) -> None:
        self.book_output()
        self.settle()
        self.ledger.status_written()

    def _operated(self, operation: Operation) -> None:
        self.book_output()
        self.settle()
        fault = self.injector.disturb(operation)
        self.ledger.operated(operation, slow=fault is not None and fault.slow)
        self.blank_pages += operation.kind == "page" and operation.blank

    # Memory map.

    def is_ram(self, address: int, size: int) -> bool:
        """Whether a stretch lies in IRAM or DRAM."""
        return any(
            start <= address and address + size <= start + len(memory)
            for start, memory in ((0x4010_0000, self.core.iram), (0x3FFE_8000, self.core.dram))
        )

    def peek(self, address: int) -> int:
        """Read a word of RAM or a register.

        Raises:
            Trap: There is nothing that could be read, or the address is not aligned.
        """
        if self.is_ram(address, _WORD_SIZE):
            if address % _WORD_SIZE:
                raise Trap("unaligned access", address=address)
            return int.from_bytes(self.core.fetch(address, 4), "little")
        return self.read(address, 4)

    def poke(self, address: int, value: int) -> None:
        """Write a word of RAM or a register.

        Raises:
            Trap: There is nothing that could be written, or the address is not aligned.
        """
        if self.is_ram(address, _WORD_SIZE):
            if address % _WORD_SIZE:
                raise Trap("unaligned access", address=address)
            self.core.load(address, value.to_bytes(_WORD_SIZE, "little"))
        else:
            self.write(address, value, 4)

    def read(self, address: int, size: int) -> int:
        """What lies outside RAM, for the core.

        Raises:
            Trap: There is nothing, or it is not emulated.
        """
        if size != _WORD_SIZE or address % _WORD_SIZE:
            raise Trap(f"a register was read as {size} bytes at 0x{address:08x}", address=address)
        offset = address % _BLOCK
        with suppress(KeyError):
            if address - offset == _UART0:
                return self._uart_read(offset)
            if address - offset == _SPI0:
                return self._spi_read(offset)
            if address - offset == _DPORT:
                return self._efuses()[offset]
        if is_plain_register(address):
            value = self._registers.get(address, 0)
            return value | _CACHE_STOPPED if address == _CACHE and value & _STOP_CACHE else value
        answer = _DATE[1] if address == _DATE[0] else answer_at(address)
        if answer is None:
            raise Trap(f"nothing can be read at 0x{address:08x}", address=address)
        return answer

    def write(self, address: int, value: int, size: int) -> None:
        """Write what lies outside RAM, for the core.

        Raises:
            Trap: There is nothing, or the flash was asked for what it must not do.
        """
        if size != _WORD_SIZE or address % _WORD_SIZE:
            raise Trap(f"a register was written as {size} bytes at 0x{address:08x}", address=address)
        offset = address % _BLOCK
        with suppress(KeyError):
            if address - offset == _UART0:
                self.uart.write(offset, value)
                return
            if address - offset == _SPI0:
                self._spi_write(offset, value)
                return
        if swallows(address):
            return
        if not is_plain_register(address):
            raise Trap(f"nothing can be written at 0x{address:08x}", address=address)
        self._registers[address] = value
        if address in _FLASH_PINS:
            self.flash.attached = all(
                self._registers.get(pin, 0) & _PIN_FUNCTION == _PIN_SPI for pin in _FLASH_PINS
            )

    def _mark_side_effect(self) -> None:
        self.core.side_effect = True

    def _uart_read(self, offset: int) -> int:
        return self.uart.read(offset)

    def _spi_read(self, offset: int) -> int:
        return self.spi.read(offset, self.now)

    def _spi_write(self, offset: int, value: int) -> None:
        self.spi.write(offset, value, self.now)
        if offset:
            return
        asks = bool(value & _READ_STATUS) or (
            bool(value & _USER_COMMAND) and self.spi.read(_USER2, self.now) & 0xFF == _STATUS_OPCODE
        )
        if asks and self.flash.busy_until > self.now:
            # A status read while busy.  In a tight loop nothing else is done until the flash is ready.
            done = self.core.instructions
            if done - self._last_poll < _TIGHT_POLL:
                self._counted = done
                self._poll_until = self.flash.busy_until
                self.core.stop = True
            self._last_poll = done
        elif asks:
            self.book_output()
            self.settle()
            self.ledger.waited()
        fresh = self.flash.violations[self._violations :]
        self._violations += len(fresh)
        if self.activity is Activity.PROGRAM:
            for violation in fresh:
                if violation.kind in _FATAL_VIOLATIONS:
                    raise Trap(
                        f"flash command 0x{violation.opcode:02x}: {violation.kind}", address=violation.address
                    )

    def enter_rom(self, core: Core, address: int) -> None:
        """Run the ROM function at the program counter, for the core."""
        if address == INTERRUPT_RETURN and self._in_interrupt:
            self._in_interrupt = False
            core.stop = True
            return
        if address == LOADER_RETURN:
            self._returned = True
            core.stop = True
            return
        function = self.rom.function(address)
        if function.waits and self.uart.sending and not self._in_interrupt:
            # The host may answer before this ends: it gets the output first.
            self._held = True
            core.stop = True
            return
        self.rom.call(function)

    def _efuses(self) -> dict[int, int]:
        mac = self.setup.mac
        words = {**_EFUSES, 0x50: mac[5] << 24}
        words[0x54] |= mac[3] << 8 | mac[4]
        oui = mac[:3]
        embedded = self.setup.model is ChipModel.ESP8285
        if oui == _OUI_ACD074 and not embedded:
            words[0x54] |= 1 << 16
        elif oui != _OUI_18FE34 or embedded:
            words[0x5C] = int.from_bytes(oui, "big")
        if embedded:
            for register, bits in EMBEDDED_SIZES[self.setup.part.bytes].items():
                words[register] |= bits
        return words

    def facts(self) -> dict[str, Any]:
        """What it is, for a report."""
        return {
            "chip": self.setup.model.value,
            "mac": self.setup.mac.hex(":"),
            "part": self.setup.part.name,
            "flash_size": self.flash.length,
        }
