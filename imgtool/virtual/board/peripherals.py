"""The chip around the core, as firmware drives it: what answers at each address outside of RAM and ROM.

Not the flash and its controller, not the UART (imgtool.virtual.chip), and not the line to a host.  Silent are
the radio and the ADC: their registers keep what is written and measure nothing.

Addresses, bits and interrupts: ``eagle_soc.h`` and ``ets_sys.h`` of
https://github.com/espressif/ESP8266_NONOS_SDK, and what unmodified firmware does under the boot ROM.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from imgtool.virtual.board.answers import ANSWERS
from imgtool.virtual.board.radio import Radio
from imgtool.virtual.board.timers import DownTimer, UpTimer
from imgtool.virtual.board.watchdog import Watchdog
from imgtool.virtual.board.window import FlashWindow, WindowCore
from imgtool.virtual.chip.addresses import answer_at, swallows
from imgtool.virtual.chip.ledger import INSTRUCTION_NS
from imgtool.virtual.chip.uart import FIFO, STATUS
from imgtool.virtual.cpu.core import Trap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from imgtool.virtual.board.boot_rom import BootRom
    from imgtool.virtual.chip.nor import NorFlash
    from imgtool.virtual.chip.spi import SpiController
    from imgtool.virtual.chip.uart import Uart
    from imgtool.virtual.cpu.core import Core

__all__ = ["Board", "Clock", "Parts", "Reset"]

_WORD: Final = 0xFFFF_FFFF
_WORD_SIZE: Final = 4
_SECOND: Final = 1_000_000_000
_MEGA: Final = 1_000_000

_UART0: Final = 0x6000_0000
_SPI0: Final = 0x6000_0200
_FRC1: Final = 0x6000_0600
_FRC2: Final = 0x6000_0620
_WATCHDOG: Final = 0x6000_0900
_DPORT: Final = 0x3FF0_0000
_NMI_SOURCE: Final = _DPORT
_EDGES: Final = _DPORT + 0x04
_CACHE: Final = _DPORT + 0x0C
_CPU_CLOCK: Final = _DPORT + 0x14
_BLOCK: Final = 0x100
_REGISTERS: Final = (
    range(0x3FF0_0000, 0x3FF1_0000),
    range(0x3FF2_0000, 0x3FF3_0000),
    range(0x6000_0000, 0x6001_0000),
)

# What the edge of each peripheral's interrupt is let through by, and its number in the core.
_FRC1_TO_NMI: Final = 0x0F
_WATCHDOG_EDGE, _FRC1_EDGE, _FRC2_EDGE = 1 << 0, 1 << 1, 1 << 2
_UART_LINE, _WATCHDOG_BIT, _FRC1_BIT, _FRC2_BIT = 1 << 5, 1 << 8, 1 << 9, 1 << 10

_STRAPS: Final = 0x6000_0318
_FLASH_BOOT, _PINS = 3, 6  # GPIO0 and GPIO2 high; the other three pins as most boards have them
_RESET_CAUSE: Final = 0x6000_0714
_RESET_KIND: Final = 0x6000_0718
_WOKEN: Final = 8 << 8  # in the kind: a wake-up from deep sleep
_RTC_ALARM: Final = 0x6000_0704
_SLEEP: Final = 0x6000_0708
_START_SLEEP: Final = 1 << 20
_RTC_COUNT: Final = 0x6000_071C
_RTC_HZ: Final = 150_000
# All off is a deep sleep, which ends in a reset: in the short sleeps that start the PLL, SDKs never have 0
# there.  Inferred from what firmware writes.
_RTC_POWER: Final = 0x6000_0700
_MAC_CLOCK: Final = 0x3FF2_0C00
_RANDOM: Final = 0x3FF2_0E44
_LASTING: Final = (range(0x6000_0700, 0x6000_0800), range(0x6000_1000, 0x6000_1400))  # RTC: registers, memory

_CACHE_ON: Final = 1 << 8
_STOP_CACHE, _CACHE_STOPPED = 1 << 0, 1 << 1
_TWO_MEGABYTES, _MEGABYTE = 0x20_0000, 0x10_0000
_DOUBLE_SPEED: Final = 1 << 0
_CRYSTAL_MHZ: Final = 52  # twice the crystal's, until the PLL runs
_PLL_MHZ: Final = 80

_DELAY: Final = 0x4000_2ECC  # ets_delay_us of the ROM, which goes round until CCOUNT says so

_CMD, _USER2 = 0x00, 0x24
_READ_STATUS, _USER_COMMAND = 1 << 27, 1 << 18
_STATUS_OPCODE: Final = 0x05
_TIGHT: Final = 12  # instructions: a loop that does nothing but look is shorter


class Clock(Protocol):
    """The virtual time, nanoseconds."""

    @property
    def now(self) -> int:
        """Since power-on."""
        ...

    def skip_to(self, moment: int) -> None:
        """Let time pass in which the processor does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Reset:
    """The board resets itself.

    Attributes:
        cause: As the ROM numbers it.
        at: When, ns; None for never: a sleep without an alarm.
    """

    cause: int
    at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the board has beside the core.

    Attributes:
        uart: UART0.
        flash: The flash, on ``spi``.
        spi: Its controller.
        efuses: Words of the efuses, by their offset from 0x3FF00000.
    """

    uart: Uart
    flash: NorFlash
    spi: SpiController
    efuses: Mapping[int, int]


class Board:
    """What firmware runs on.

    Args:
        rom: The chip's boot ROM.
        clock: The time.
        parts: UART, flash and efuses.

    Attributes:
        core: The processor.
        window: What it sees of the flash.
        unmodelled: Addresses that were read before anybody wrote there and have nothing behind them, with the
            program counter of the first read; they read as 0.
        resets: What is to be done, after :meth:`run`; None for nothing.
    """

    def __init__(self, rom: BootRom, clock: Clock, parts: Parts) -> None:
        self.core = WindowCore(self, rom.content)
        self.core.cycles = self._cycles
        self.core.hooks[_DELAY] = self._delay
        self.window = FlashWindow(self.core, parts.flash)
        self.unmodelled: dict[int, int] = {}
        self.resets: Reset | None = None
        self._clock = clock
        self._uart, self._flash, self._spi = parts.uart, parts.flash, parts.spi
        self._registers: dict[int, int] = {}
        self._radio = Radio()
        self._mhz = _CRYSTAL_MHZ
        self._apb_hz = _CRYSTAL_MHZ * _MEGA
        self._cycles_before = self._cycles_since = 0
        self._frc1 = DownTimer(self._now, self._apb)
        self._frc2 = UpTimer(self._now, self._apb)
        self._watchdog = Watchdog(self._now)
        self._random = Random(0)  # noqa: S311 (the same bytes in each run)
        self._cause = 0
        self._until = self._horizon = 0
        self._status_read = -_TIGHT  # when, in instructions
        self._readers = self.core.readers
        self._writers: dict[int, Callable[[int], None]] = {}
        self._connect(parts.efuses)

    def _connect(self, efuses: Mapping[int, int]) -> None:
        """What is behind each register that does more than keep what is written."""
        readers, writers = self._readers, self._writers
        for offset in range(0, _BLOCK, _WORD_SIZE):
            readers[_UART0 + offset] = partial(self._uart_read, offset)
            writers[_UART0 + offset] = partial(self._uart_write, offset)
            readers[_SPI0 + offset] = partial(self._spi_read, offset)
            writers[_SPI0 + offset] = partial(self._spi_write, offset)
        for base, timer in ((_FRC1, self._frc1), (_FRC2, self._frc2), (_WATCHDOG, self._watchdog)):
            for offset in range(0, 0x20, _WORD_SIZE):
                readers[base + offset] = partial(timer.read, offset)
                writers[base + offset] = partial(self._timer_write, timer, offset)
        for row in ANSWERS:
            readers[row.address] = partial(self._answer, row.address, row.ones, row.zeros, row.at_reset)
        for address in self._radio.addresses:
            readers[address] = partial(self._radio.read, address)
            writers[address] = partial(self._radio_write, address)
        for offset, value in efuses.items():
            readers[_DPORT + offset] = partial(int, value)
        readers[_UART0 + STATUS] = self._read_uart_status
        readers[_STRAPS] = partial(int, _FLASH_BOOT << 16 | _PINS << 29)
        readers[_RESET_CAUSE] = lambda: self._cause
        readers[_RESET_KIND] = self._read_reset_kind
        readers[_RTC_COUNT] = lambda: self._rtc_count() & _WORD
        readers[_MAC_CLOCK] = lambda: self._clock.now // 1000 & _WORD
        readers[_RANDOM] = lambda: self._random.getrandbits(32)
        readers[_CACHE] = self._read_cache
        writers[_CACHE] = self._write_cache
        writers[_CPU_CLOCK] = self._write_cpu_clock
        writers[_SLEEP] = self._write_sleep

    @property
    def fed(self) -> bool:
        """Whether the watchdog is on, and was fed within its first stage."""
        return self._watchdog.due is not None and not self._watchdog.bites

    # Time --------------------------------------------------------------------------------------------------

    def _now(self) -> int:
        return self._clock.now

    def _apb(self) -> int:
        return self._apb_hz

    def _cycles(self) -> int:
        return self._cycles_before + (self._clock.now - self._cycles_since) * self._mhz // 1000

    def _rtc_count(self) -> int:
        return self._clock.now * _RTC_HZ // _SECOND

    def _set_speed(self) -> None:
        """The clocks of processor and peripherals, as the registers choose them."""
        if not self._radio.pll_on:
            mhz, apb = _CRYSTAL_MHZ, _CRYSTAL_MHZ
        else:
            double = self._registers.get(_CPU_CLOCK, 0) & _DOUBLE_SPEED
            mhz, apb = _PLL_MHZ << double, _PLL_MHZ
        if mhz != self._mhz:
            self._cycles_before, self._cycles_since = self._cycles(), self._clock.now
            self._mhz = mhz
            self.core.stop = True
        if apb * _MEGA != self._apb_hz:
            self._frc1.rebase()
            self._frc2.rebase()
            self._apb_hz = apb * _MEGA
            self._frc1.plan()
            self._frc2.plan()
            self._uart.set_clock(self._apb_hz)

    def _delay(self) -> None:
        """``ets_delay_us``: time passes at once, up to the next event; the rest is waited for after that."""
        core, clock = self.core, self._clock
        micros = core.a[2]
        start = clock.now
        end = start + micros * 1000
        event = self.next_event()
        if event >= end:
            clock.skip_to(end)
            core.pc = core.a[0]
        else:
            passed = max(1, -(-(event - start) // 1000))
            clock.skip_to(start + passed * 1000)
            core.a[2] = max(0, micros - passed)
            core.stop = True
        core.instructions += 1

    def _pass_to(self, moment: int) -> None:
        """Let time pass in the middle of an instruction; what has come up meanwhile comes right behind it."""
        self._clock.skip_to(moment)
        if self._clock.now >= self._horizon:
            self.core.stop = True

    def next_event(self) -> int:
        """When something comes up by itself next, or :meth:`run` has to end."""
        moments = [self._until]
        moments += [timer.due for timer in (self._frc1, self._frc2, self._watchdog) if timer.due is not None]
        change = self._uart.next_interrupt()
        if change is not None:
            moments.append(change)
        cycles = self.core.compare_in
        if cycles is not None:
            moments.append(self._clock.now + cycles * 1000 // self._mhz + 1)
        return min(moments)

    # Running -----------------------------------------------------------------------------------------------

    def reset(self, cause: int) -> None:
        """As a reset leaves it, the processor at the ROM's first instruction.

        Args:
            cause: As the ROM numbers it; 1, power on, forgets what the RTC keeps.
        """
        kept = {} if cause == 1 else self._registers
        self._registers = {
            address: value for address, value in kept.items() if any(address in place for place in _LASTING)
        }
        self._cause = cause
        self.resets = None
        self._radio.reset()
        self._frc1.reset()
        self._frc2.reset()
        self._watchdog.reset()
        self._set_speed()
        self.window.show(None)
        self.core.reset()

    def run(self, until: int, most: int) -> bool:
        """Compute up to a moment, but no more than so many instructions.

        Returns:
            Whether the firmware waits for an interrupt.
        """
        self._until = until
        if self.core.idles:
            # The radio's interrupts, on which SDKs feed it, never come.
            self._watchdog.feed()
        self._look()
        if self.resets is not None:
            return False
        # What is written to a register may bring an event nearer, and ends the run.
        self._horizon = self.next_event()
        limit = max(1, min(most, (self._horizon - self._clock.now) // INSTRUCTION_NS + 1))
        return self.core.run(limit)

    def _look(self) -> None:
        """What has come up by now."""
        core, now = self.core, self._clock.now
        self._uart.deliver()
        self._update_lines()
        edges = self._registers.get(_EDGES, 0)
        if self._frc1.due is not None and now >= self._frc1.due:
            self._frc1.expire()
            if self._registers.get(_NMI_SOURCE, 0) & 0x1F == _FRC1_TO_NMI:
                core.raise_nmi()
            elif edges & _FRC1_EDGE:
                core.raise_interrupt(_FRC1_BIT)
        if self._frc2.due is not None and now >= self._frc2.due:
            self._frc2.expire()
            if edges & _FRC2_EDGE:
                core.raise_interrupt(_FRC2_BIT)
        core.look_at_timer()
        if self._watchdog.due is not None and now >= self._watchdog.due:
            if self._watchdog.bites:
                self.resets = Reset(_BY_WATCHDOG, now)
            else:
                self._watchdog.warn()
                if edges & _WATCHDOG_EDGE:
                    core.raise_interrupt(_WATCHDOG_BIT)

    def _wakes_at(self) -> int | None:
        alarm = self._registers.get(_RTC_ALARM, 0)
        ticks = alarm - self._rtc_count() & _WORD
        return self._clock.now + ticks * _SECOND // _RTC_HZ if alarm else None

    def _update_lines(self) -> None:
        lines = _UART_LINE if self._uart.interrupts else 0
        if lines != self.core.lines:
            self.core.lines = lines
            self.core.stop = True

    # Registers ---------------------------------------------------------------------------------------------

    def read(self, address: int, size: int) -> int:
        """What lies outside of RAM, ROM and window, and has no reader of its own.

        Raises:
            Trap: Nothing is there.
        """
        if size != _WORD_SIZE:
            place = address & -_WORD_SIZE
            reader = self._readers.get(place)
            word = self.read(place, _WORD_SIZE) if reader is None else reader()
            return word >> 8 * (address - place) & (1 << 8 * size) - 1
        value = self._registers.get(address)
        if value is not None:
            return value
        if _is_register(address):
            self.unmodelled.setdefault(address, self.core.pc)
            return 0
        answer = answer_at(address)
        if answer is None:
            raise Trap("nothing can be read", address=address)
        return answer

    def write(self, address: int, value: int, size: int) -> None:
        """Store outside of RAM.

        Raises:
            Trap: Nothing is there.
        """
        if size != _WORD_SIZE:
            place = address & -_WORD_SIZE
            shift = 8 * (address - place)
            mask = (1 << 8 * size) - 1 << shift
            address, value = place, self._registers.get(place, 0) & ~mask | value << shift
        writer = self._writers.get(address)
        if writer is not None:
            writer(value)
        elif _is_register(address):
            self._registers[address] = value
        elif not swallows(address):
            raise Trap("nothing can be written", address=address)

    def enter_rom(self, core: Core, address: int) -> None:
        """The core has the ROM's own code."""
        raise NotImplementedError

    def _answer(self, address: int, ones: int, zeros: int, at_reset: int) -> int:
        return self._registers.get(address, at_reset) & ~zeros | ones

    def _timer_write(self, timer: DownTimer | UpTimer | Watchdog, offset: int, value: int) -> None:
        timer.write(offset, value)
        self.core.stop = True

    def _radio_write(self, address: int, value: int) -> None:
        self._radio.write(address, value)
        self._set_speed()

    def _write_cpu_clock(self, value: int) -> None:
        self._registers[_CPU_CLOCK] = value
        self._set_speed()

    def _read_reset_kind(self) -> int:
        kind = self._registers.get(_RESET_KIND, 0)
        return kind & ~0x3F00 | _WOKEN if self._cause == _BY_WAKING else kind

    def _write_sleep(self, value: int) -> None:
        self._registers[_SLEEP] = value & ~_START_SLEEP  # it clears itself: the ROM writes back what it reads
        if value & _START_SLEEP and not self._registers.get(_RTC_POWER, 0):
            self.resets = Reset(_BY_WAKING, self._wakes_at())
            self.core.stop = True

    def _read_cache(self) -> int:
        value = self._registers.get(_CACHE, 0)
        return value | _CACHE_STOPPED if value & _STOP_CACHE else value

    def _write_cache(self, value: int) -> None:
        self._registers[_CACHE] = value
        place = (value >> 16 & 7) * _TWO_MEGABYTES + (value >> 25 & 1) * _MEGABYTE
        self.window.show(place if value & _CACHE_ON else None)

    def _read_uart_status(self) -> int:
        value = self._uart.read_status()
        if value >> 16 & 0xFF:
            done = self.core.instructions
            if done - self._status_read < _TIGHT:
                # The program goes round until bytes have left: one leaves.
                self._pass_to(self._uart.departs_at)
            self._status_read = done
        return value

    def _uart_read(self, offset: int) -> int:
        try:
            value = self._uart.read(offset)
        except KeyError:
            return self._registers.get(_UART0 + offset, 0)
        if offset == FIFO:
            self._update_lines()
        return value

    def _uart_write(self, offset: int, value: int) -> None:
        try:
            self._uart.write(offset, value)
        except KeyError:
            self._registers[_UART0 + offset] = value
            return
        if offset != FIFO or self._uart.crowded:
            self.core.stop = True
        self._update_lines()

    def _spi_read(self, offset: int) -> int:
        try:
            # A command is over when somebody looks.
            return 0 if offset == _CMD else self._spi.read(offset, self._clock.now)
        except KeyError:
            return self._registers.get(_SPI0 + offset, 0)

    def _spi_write(self, offset: int, value: int) -> None:
        if offset == _CMD:
            self._spi_command(value)
            return
        try:
            self._spi.write(offset, value, self._clock.now)
        except KeyError:
            self._registers[_SPI0 + offset] = value

    def _spi_command(self, value: int) -> None:
        now = self._clock.now
        user = value & _USER_COMMAND and self._spi.read(_USER2, now) & 0xFF == _STATUS_OPCODE
        if value & _READ_STATUS or user:
            # Who asks a busy flash for its status does so until it is ready.
            self._pass_to(self._flash.busy_until)
        self._spi.write(_CMD, value, max(self._clock.now, self._spi.ready_at))
        self._pass_to(self._spi.ready_at)


def _is_register(address: int) -> bool:
    return any(address in place for place in _REGISTERS)


_BY_WATCHDOG: Final = 4
_BY_WAKING: Final = 5
