"""The project's own functions for exceptions, tasks, UARTs, flash and pins, held to the boot ROM's.

Needs a dump of the ROM.  Most are called one by one (rom_calls.py).  Vectors, handlers and ``ets_run``, which
do not return to a caller, run on a whole processor each, with interrupts, between functions of firmware that
are the same on both.

Not compared: what lies below the stack pointer, and registers of an interrupt that comes while the ROM's own
code runs; the cycles of ``xthal_get_ccount``, which has nothing else; pieces of ``SPIRead`` before the last,
which are read at once here, and not by the controller; the frames that the handler of unaligned accesses
follows below the stack pointer, where there are none here; the debugger's registers after a break; and from
256 pages on ``SPIWrite``, which never ends.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from imgtool.flash_parts import default_part
from imgtool.formats.images.version1 import BootImage, Segment
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.rom import exceptions, flash, functions, gpio, pins, serial, tasks
from imgtool.virtual.board.rom.own_rom import OwnRom
from imgtool.virtual.board.session import run_firmware
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.cpu.core import DRAM_BASE, IRAM_BASE, ROM, Core, Trap
from imgtool.virtual.cpu.full_core import FullCore
from tests.oracle.boot_rom import VARIABLE, boot_rom
from tests.oracle.rom_calls import POINTERS, RETURN, ROM_DATA, SCRATCH, STACK, Bench, Effect, Given

if TYPE_CHECKING:
    from imgtool.virtual.board.rom.machine import RomFunction
    from tests.oracle.rom_calls import Register

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not boot_rom(), reason=f"{VARIABLE} does not name a dump of the boot ROM"),
]

CALLS: Final = 60
MB: Final = 1 << 20
WORD: Final = 0xFFFF_FFFF
BY_NAME: Final = {function.name: function for function in functions.FUNCTIONS}
LOCK, UNLOCK = 0x4000_0F74, 0x4000_0F80
PRINT, HANDLE, POST, UDIVSI3 = 0x4000_24CC, 0x4000_2DA8, 0x4000_0E24, 0x4000_E21C
INSIDE: Final = (
    *(*exceptions.FUNCTIONS, *tasks.FUNCTIONS, *serial.FUNCTIONS, *pins.FUNCTIONS, *gpio.FUNCTIONS),
    *(BY_NAME[name] for name in ("__udivsi3", "__umodsi3")),
)
"""What functions here call, where that is not to be seen."""


def words(*values: int) -> bytes:
    return b"".join((value & WORD).to_bytes(4, "little") for value in values)


class Answers:
    """A register that reads as one thing or another, the same on each side.

    Args:
        seed: For the order.
        choices: What it reads as; a bit of what was written stays where the mask has it.
        kept: The mask.
    """

    def __init__(self, seed: str, choices: Iterable[int], kept: int = 0) -> None:
        self._seed, self._choices, self._kept = seed, tuple(choices), kept
        self.restart()

    def restart(self) -> None:
        self._source = random.Random(self._seed)

    def __call__(self, written: int, _reads: int) -> int:
        return written & self._kept | self._source.choice(self._choices) & ~self._kept


class Answered(Bench):
    """A bench whose registers start anew on each side."""

    def real(self, given: Given) -> Effect:
        return super().real(anew(given))

    def ours(self, given: Given) -> Effect:
        return super().ours(anew(given))


def anew(given: Given) -> Given:
    for register in given.registers.values():
        if isinstance(register, Answers):
            register.restart()
    return given


Calls = Callable[[random.Random], Given]


def compare(function: RomFunction, calls: Calls, *, outside: Iterable[int] = ()) -> None:
    shown = tuple(outside)
    bench = Answered(
        function, outside=shown, inside=[known for known in INSIDE if known.address not in shown]
    )
    source = random.Random(function.name)
    found = [
        told for number in range(CALLS) if (told := bench.differences(replace(calls(source), seed=number)))
    ]
    assert not found, f"{len(found)} of {CALLS}:\n" + "\n".join(found[:3])


def any_words(count: int) -> Calls:
    return lambda source: Given(
        arguments=tuple(source.choice((0, source.getrandbits(32))) for _ in range(count)),
        interrupts=(source.getrandbits(15), source.randrange(4)),
    )


# What sets handlers and interrupts --------------------------------------------------------------------------

ENABLED: Final = 0x3FFF_C200
BY_CAUSE, C_BY_CAUSE, INTERRUPTS = 0x3FFF_C000, 0x3FFF_C100, 0x3FFF_C180
NONE, UNHANDLED_INTERRUPT = 0x4000_DBF8, 0x4000_DC3C
MASKS: Final = 120


def place_of(interrupt: int) -> int:
    return INTERRUPTS + 8 * (31 - interrupt)


def handler_of(source: random.Random) -> Given:
    cause = source.choice((source.randrange(64), source.randrange(64), source.getrandbits(32)))
    values = (0, NONE, source.choice(POINTERS))
    at = C_BY_CAUSE + 4 * (cause % 64)
    return Given(arguments=(cause, source.choice(values)), memory={at: words(source.choice(values))})


def interrupt_of(source: random.Random) -> Given:
    number = source.choice((source.randrange(16), source.randrange(16), source.getrandbits(32)))
    before = source.choice((UNHANDLED_INTERRUPT, source.choice(POINTERS)))
    return Given(
        arguments=(number, source.choice((0, *POINTERS)), source.getrandbits(32)),
        memory={place_of(number & 15): words(before, source.getrandbits(32))},
    )


def mask_of(source: random.Random) -> Given:
    enabled, allowed = source.getrandbits(15), source.choice((WORD, source.getrandbits(15)))
    return Given(
        arguments=(source.choice((1 << source.randrange(15), source.getrandbits(32))),),
        memory={ENABLED: words(enabled, allowed)},
        interrupts=(enabled & allowed, source.randrange(4)),
    )


# Tasks and timers -------------------------------------------------------------------------------------------

TASKS, READY, RUNNING, IDLE = 0x3FFF_DAC0, 0x3FFF_DAB8, 0x3FFF_C6FC, 0x3FFF_DAB0
FIRST, COUNT = 0x3FFF_DDB0, 0x6000_0624
QUEUES: Final = SCRATCH + 0x1000
TIMER: Final = SCRATCH + 0x800


def a_task(source: random.Random) -> Given:
    priority = source.randrange(1, 33)
    return Given(arguments=(source.choice(POINTERS), priority, SCRATCH, source.randrange(512)))


def row_of(priority: int, length: int, into: int, count: int) -> bytes:
    """A row of the table: the oldest message lies as far back as there are some."""
    out = (into - count) % length if length else 0
    queue = QUEUES + 64 * priority
    rest = bytes((length, into, out, count)) + words(1 << priority - 1)
    return words(POINTERS[priority % len(POINTERS)], queue) + rest


def a_message(source: random.Random) -> Given:
    priority, length = source.randrange(1, 33), source.choice((0, 1, 2, 7))
    count, into = source.randint(0, length), source.randrange(max(1, length))
    return Given(
        arguments=(priority, source.getrandbits(32), source.getrandbits(32)),
        memory={
            TASKS + 16 * (priority - 1): row_of(priority, length, into, count),
            READY: words(source.getrandbits(32)),
        },
        interrupts=(0, source.randrange(4)),
    )


def timers(source: random.Random, now: int, most: int = 5) -> dict[int, bytes]:
    """Memory with a list of timers, and another one beside it that is in no list."""
    places = source.sample([SCRATCH + 32 * number for number in range(16)], source.randint(0, most))
    moments = sorted(source.choice((0, 10, 41, 3000)) + source.randint(-9000, 9000) for _ in places)
    memory = {FIRST: words(places[0] if places else 0)}
    for place, following, moment in zip(places, [*places[1:], 0][: len(places)], moments, strict=True):
        period = source.choice((0, 0, source.randrange(2000, 20_000)))
        called = source.choice(POINTERS), source.getrandbits(32)
        memory[place] = words(following, now + moment, period, *called)
    own = -1, source.getrandbits(32), source.choice((0, source.getrandbits(32))), source.choice(POINTERS)
    memory[TIMER] = words(*own, source.getrandbits(32))
    return memory


def count_from(now: int) -> dict[int, Register]:
    """The counter, which goes on with each look at it."""
    return {COUNT: lambda _written, reads: now + 3 * reads}


def a_moment(source: random.Random) -> int:
    return source.choice((0x1_0000, 0xFFFF_F000, source.getrandbits(32)))


def inserted(source: random.Random) -> Given:
    now = a_moment(source)
    moment = now + source.choice((source.randint(-60, 60), source.randint(-12_000, 12_000))) & WORD
    return Given(arguments=(moment, TIMER), memory=timers(source, now), registers=count_from(now))


def armed(source: random.Random) -> Given:
    now = a_moment(source)
    time = source.choice((0, 1, 10, 0x30CE, 0x30CF, source.randrange(100_000), source.getrandbits(32)))
    arguments = (TIMER, time, source.choice((0, 1, 7)))
    return Given(arguments=arguments, memory=timers(source, now), registers=count_from(now))


def disarmed(source: random.Random) -> Given:
    memory = timers(source, 0)
    listed = [place for place in memory if place not in (FIRST, TIMER)]
    return Given(arguments=(source.choice((TIMER, *listed)), 0), memory=memory)


def due(source: random.Random) -> Given:
    now = a_moment(source)
    return Given(memory=timers(source, now), registers=count_from(now), reply=Rearming(source.random()))


class Rearming:
    """A timer's function, which by chance stops its timer, or gives it another period.

    Args:
        seed: For that.
    """

    def __init__(self, seed: float) -> None:
        self._seed = seed
        self._sources: dict[int, random.Random] = {}

    def __call__(self, core: FullCore, _address: int, _arguments: tuple[int, ...]) -> int:
        source = self._sources.setdefault(id(core), random.Random(self._seed))
        served = core.load_word(FIRST + 4)
        if source.random() < 0.3:
            core.store_word(served + 8, source.choice((0, 30_000)))
        return source.getrandbits(32)


def message_of_timers(source: random.Random) -> Given:
    return Given(arguments=(SCRATCH,), memory={SCRATCH: words(source.choice((0, 0, 1, 1 << 31)))})


# UARTs ------------------------------------------------------------------------------------------------------

UART_ROW, DEVICE = 0xF00, 0x3FFF_DE10


def registers_of_uarts(source: random.Random) -> dict[int, Register]:
    """Both, each sending a while, and with something received."""
    registers: dict[int, Register] = {}
    for base in (0x6000_0000, 0x6000_0000 + UART_ROW):
        seed = f"{source.random()}"
        state = (source.getrandbits(8) << 16 | source.getrandbits(8) for _ in range(4))
        registers[base + 0x1C] = Answers(seed, (*state, 0, 0))
        registers[base] = Answers(seed, (*source.randbytes(8), 0x0D, source.getrandbits(32)))
        registers[base + 0x30] = Answers(seed, (0, 29, 30, 31, 0x3FF))
    return registers


def on_uart(source: random.Random) -> Given:
    receive, end = 0x3FFF_DE60, source.choice((0, 0xF0, 0xFF))
    device = [source.choice((9600, 74_880, 115_200, source.randrange(1, 1 << 24)))]
    device += [source.randrange(4), *(source.choice((0, 2)), source.choice((0, 1))), source.randrange(4), 0]
    device += [0x100, receive, receive + end, receive, source.getrandbits(8), 0, 100, receive + 0x100]
    device += [source.randrange(2), 0, source.randrange(2)]
    return Given(
        arguments=(source.randrange(2), source.choice((0, 1, source.getrandbits(32)))),
        memory={DEVICE: words(*device)},
        registers=registers_of_uarts(source),
    )


def into_memory(source: random.Random) -> Given:
    return replace(on_uart(source), arguments=(SCRATCH + source.randrange(64),))


def into_ring(source: random.Random) -> Given:
    return replace(on_uart(source), arguments=(DEVICE + 24,))


# The flash --------------------------------------------------------------------------------------------------

CHIP_AT, CHIP, CACHE = 0x3FFF_C714, SCRATCH + 0x6000, 0x3FF0_000C
CMD, STATUS, BUFFER = 0x6000_0200, 0x6000_0210, 0x6000_0240
USUAL: Final = (0x16_40EF, 0x40_0000, 0x1_0000, 0x1000, 0x100, 0xFFFF)


def controller(source: random.Random) -> dict[int, Register]:
    """The controller, which is done sooner or later, and a flash that is busy, or takes no write yet."""
    seed = f"{source.random()}"
    cache = [source.getrandbits(32) for _ in range(6)]
    state = (source.getrandbits(10) for _ in range(6))
    return {
        CMD: Answers(seed, (0, 0, 1, 1 << 31)),
        STATUS: Answers(seed, (2, 2, *state)),
        CACHE: Answers(seed, (*cache, 0x2, 0x102), kept=0x0707_0000),
    }


def chip_of(source: random.Random) -> tuple[int, ...]:
    if source.random() < 0.5:
        return USUAL
    size = source.choice((0x8_0000, 0x200_0000, 0x1_0000))
    sector = source.choice((0x1000, 0x1000, 0x2000, 0x400))
    block, page = source.choice((8, 16)) * sector, source.choice((0x100, 0x20, 0x40, 0x30))
    return 0, size, block, sector, page, source.choice((0xFF, 0xFFFF))


def in_flash(*arguments: int) -> Calls:
    """Calls with arguments of their own, behind those that are given."""

    def calls(source: random.Random) -> Given:
        more = (source.choice((0, 1, source.randrange(64), source.getrandbits(32))) for _ in range(3))
        return with_chip(source, chip_of(source), (*arguments, *more))

    return calls


def with_chip(source: random.Random, chip: tuple[int, ...], arguments: tuple[int, ...]) -> Given:
    memory = {CHIP_AT: words(CHIP), CHIP: words(*chip)}
    return Given(arguments=arguments, memory=memory, registers=controller(source))


def of_status(source: random.Random) -> Given:
    return with_chip(source, chip_of(source), (CHIP, SCRATCH + 4 * source.randrange(16)))


def erased(source: random.Random) -> Given:
    chip = chip_of(source)
    most = chip[1] // chip[3]
    numbers = (source.randrange(most), source.randrange(8), most, most - 1, source.getrandbits(32))
    return with_chip(source, chip, (source.choice(numbers),))


def erased_area(source: random.Random) -> Given:
    chip = chip_of(source)
    start = chip[3] * source.randrange(24) + source.choice((0, 0, 0, 0, 4))
    size = source.choice((0, source.randrange(1, 40) * chip[3], source.randrange(40 * chip[3]), chip[1]))
    return with_chip(source, chip, (start if size < chip[1] else chip[3], size))


def programmed(source: random.Random) -> Given:
    chip = chip_of(source)
    address = source.choice((source.randrange(0x1000), 4 * source.randrange(0x400), chip[1] - 0x20))
    size = source.choice((4 * source.randrange(16), 4 * source.randrange(200), source.randrange(300), 0))
    return with_chip(source, chip, (address, SCRATCH + 4 * source.randrange(16), size))


def read(source: random.Random) -> Given:
    chip = chip_of(source)
    address = source.choice((source.randrange(0x1000), chip[1] - 0x20, source.getrandbits(32)))
    size = source.choice((source.randrange(64), source.randrange(64), -source.randrange(64) & WORD))
    return with_chip(source, chip, (address, SCRATCH + 4 * source.randrange(16), size))


def configured(source: random.Random) -> Given:
    return with_chip(source, USUAL, tuple(source.getrandbits(32) for _ in range(6)))


def shown(source: random.Random) -> Given:
    chosen = source.choice((0, 1, 2, 3)), source.randrange(8), source.choice((0, 1, 1, 2))
    return with_chip(source, USUAL, chosen)


# Pins, the RTC, chains --------------------------------------------------------------------------------------

RTC_CAUSE: Final = 0x6000_0714


def a_reset(source: random.Random) -> Given:
    cause = source.choice((5, 5, source.randrange(16))) | source.getrandbits(28) << 4
    kind = source.choice((1, 8, source.getrandbits(6))) << 8 | source.getrandbits(8)
    return Given(registers={RTC_CAUSE: cause, RTC_CAUSE + 4: kind})


def chained(source: random.Random) -> Given:
    size = source.choice(
        (0, 1, source.randrange(1, 0x40), source.randrange(1, 0x1100), source.getrandbits(32))
    )
    whole = source.choice((0, source.randrange(64 * (size & 0x3F) + 1), source.randrange(12) * size & WORD))
    if size and whole // size > 100:
        whole = size
    buffer, unused, full = source.getrandbits(32), source.getrandbits(32), source.choice((0, 1, 5))
    ends = SCRATCH + 0x4000, SCRATCH + 0x4004
    return Given(arguments=(SCRATCH, unused, buffer, whole, size, full, *ends))


GPIO_WAITING, GPIO_KINDS = 0x3FFF_DFD0, 0x3FFF_DFE0


def a_pin(source: random.Random) -> Given:
    """A pin or none, and a word; some interrupts wait, and a function is told of them."""
    number = source.choice((source.randrange(16), source.randrange(16), source.randrange(16, 200)))
    waiting = source.choice((0, source.getrandbits(16)))
    return Given(
        arguments=(number, source.choice((source.getrandbits(3), source.getrandbits(32)))),
        memory={
            GPIO_WAITING: words(waiting, POINTERS[0], source.getrandbits(32)),
            GPIO_KINDS: bytes(source.randrange(8) for _ in range(16)),
        },
    )


def some_pins(source: random.Random) -> Given:
    """The same for pins as bits."""
    return replace(a_pin(source), arguments=(source.choice((0, 1, source.getrandbits(16))),))


# One by one -------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """How a function is called.

    Attributes:
        name: Of the function.
        calls: What with.
        outside: Functions whose calls are seen; others run.
    """

    name: str
    calls: Calls
    outside: tuple[int, ...] = ()


ROWS: Final = (
    Row("_xtos_set_exception_handler", handler_of),
    Row("ets_intr_lock", any_words(0)),
    Row("ets_intr_unlock", any_words(0)),
    *(Row(name, interrupt_of) for name in ("ets_isr_attach", "_xtos_set_interrupt_handler_arg")),
    *(Row(name, mask_of) for name in ("ets_isr_mask", "ets_isr_unmask", "_xtos_ints_on", "_xtos_ints_off")),
    Row("_xtos_p_none", any_words(2)),
    Row("the handler of exceptions", any_words(2), (PRINT,)),
    Row("ets_set_idle_cb", any_words(2)),
    Row("ets_task", a_task),
    Row("ets_post", a_message),
    Row("ets_post", a_message, (LOCK, UNLOCK)),
    Row("ets_timer_setfn", lambda source: Given(arguments=(SCRATCH, *any_words(2)(source).arguments))),
    Row("timer_insert", inserted, (PRINT,)),
    Row("ets_timer_arm", armed, (PRINT,)),
    Row("ets_timer_disarm", disarmed),
    Row("ets_timer_done", lambda source: replace(inserted(source), arguments=(TIMER,)), (PRINT,)),
    Row("ets_timer_handler_isr", due, (PRINT,)),
    Row("the interrupt of the timers", any_words(2), (POST,)),
    Row("the task of the timers", message_of_timers, (HANDLE,)),
    Row("ets_timer_init", any_words(2)),
    Row("ets_timer_init", any_words(2), (0x4000_0F88, 0x4000_0FA8, 0x4000_0DD0)),
    Row("uartAttach", on_uart),
    Row("uartAttach", on_uart, (0x4000_0F88, 0x4000_0F98)),
    Row("uart_buff_switch", on_uart),
    Row("uart_baudrate_detect", on_uart),
    Row("uart_div_modify", on_uart),
    Row("Uart_Init", on_uart),
    Row("uart_tx_one_char", on_uart),
    Row("uart_rx_one_char", into_memory),
    Row("uart_rx_intr_handler", into_ring),
    Row("SelectSpiFunction", in_flash()),
    Row("SPI_read_status", of_status),
    Row("SPI_write_status", in_flash(CHIP)),
    Row("SPI_write_enable", of_status),
    Row("Wait_SPI_Idle", of_status),
    Row("spi_flash_attach", in_flash()),
    Row("Cache_Read_Enable", shown),
    Row("Cache_Read_Disable", shown),
    *(Row(name, in_flash()) for name in ("SPIUnlock", "SPILock", "SPIEraseChip")),
    Row("SPIReadModeCnfig", lambda source: in_flash(source.randrange(8))(source)),
    Row("SPIEraseBlock", erased),
    Row("SPIEraseSector", erased),
    Row("SPIWrite", programmed),
    Row("SPIRead", read),
    Row("SPIEraseArea", erased_area),
    Row("SPIParamCfg", configured),
    Row("rtc_get_reset_reason", a_reset),
    Row("software_reset", any_words(1)),
    Row("ets_update_cpu_frequency", any_words(1)),
    Row("ets_get_cpu_frequency", any_words(1)),
    Row("gpio_output_set", any_words(4)),
    Row("gpio_input_get", any_words(1)),
    Row("lldesc_build_chain", chained),
    Row("gpio_init", some_pins),
    *(
        Row(name, a_pin)
        for name in ("gpio_register_set", "gpio_register_get", "gpio_intr_pending", "gpio_pin_intr_state_set")
    ),
    Row("gpio_intr_ack", some_pins),
    Row("gpio_intr_handler_register", any_words(2)),
    Row("the interrupt of the pins", some_pins),
)


ON_A_PROCESSOR: Final = {
    *("_DebugExceptionVector", "_NMIExceptionVector", "_KernelExceptionVector", "_UserExceptionVector"),
    *("_DoubleExceptionVector", "_xtos_l1int_handler", "_xtos_cause3_handler", "_xtos_c_wrapper_handler"),
    *("_xtos_unhandled_interrupt", "_xtos_unhandled_exception", "_xtos_return_from_exc"),
    *("the handler of unaligned accesses", "ets_run"),
}
"""Those that are not called one by one."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}{' and calls' if row.outside else ''}")
def test_one_by_one(row: Row) -> None:
    compare(BY_NAME[row.name], row.calls, outside=row.outside)


ZEROS: Final = {"SPIEraseBlock": 2, "SPIEraseSector": 3, "SPIEraseArea": 3, "SPIWrite": 4}
"""By function, the size of the flash's that it divides by."""


@pytest.mark.parametrize("name", ZEROS)
def test_division_by_zero_is_the_same_exception(name: str) -> None:
    chip = [*USUAL]
    chip[ZEROS[name]] = 0
    bench = Answered(BY_NAME[name])
    case = with_chip(random.Random(name), tuple(chip), (0, 64, 64))
    assert bench.real(case).ended.startswith("exception 0 ")
    bench.check(case)


def test_all_are_compared() -> None:
    here = {row.name for row in ROWS} | ON_A_PROCESSOR | {"xthal_get_ccount"}
    modules = exceptions, tasks, serial, flash, pins, gpio
    assert {function.name for module in modules for function in module.FUNCTIONS} == here


def test_long_reads_give_the_same() -> None:
    """The real one by the controller, ours at once but for the last pieces."""
    bench = Bench(BY_NAME["SPIRead"])
    for seed in range(CALLS):
        source = random.Random(seed)
        content = source.randbytes(0x1000)
        address, size = source.randrange(0x400), source.randrange(64, 0x800)
        case = with_chip(source, USUAL, (address, SCRATCH, size))
        at_once = (size - 32) // 32 * 32
        real = bench.real(anew(buffered(case, content, address)))
        ours = bench.ours(anew(replace(buffered(case, content, address + at_once), flash=content)))
        assert (real.result, ours.result) == (0, 0)
        assert real.dram[: STACK - DRAM_BASE - 0x1000] == ours.dram[: STACK - DRAM_BASE - 0x1000], case


def buffered(case: Given, content: bytes, address: int) -> Given:
    """The same with a buffer that shows one piece of the flash after the other."""

    def shows(offset: int, _written: int, reads: int) -> int:
        at = address + 32 * reads + offset
        return int.from_bytes(content[at : at + 4], "little")

    registers = {BUFFER + at: partial(shows, at) for at in range(0, 32, 4)}
    return replace(case, registers={**case.registers, **registers})


class AssertedError(Exception):
    """The ROM has said that an assertion failed."""


def says_so(_core: FullCore, address: int, arguments: tuple[int, ...]) -> int:
    assert address == PRINT
    raise AssertedError(arguments[:3])


@pytest.mark.parametrize("name", ["timer_insert", "ets_timer_arm", "ets_timer_done"])
def test_a_timer_that_is_in_a_list_already(name: str) -> None:
    memory = {FIRST: words(TIMER), TIMER: words(0, 1000, 0, POINTERS[0], 0)}
    arguments = (900, TIMER) if name == "timer_insert" else (TIMER, 1, 0)
    case = Given(arguments=arguments, memory=memory, registers=count_from(0), reply=says_so)
    bench = Bench(BY_NAME[name], outside=(PRINT,))
    with pytest.raises(AssertedError) as real:
        bench.real(case)
    with pytest.raises(AssertedError) as ours:
        bench.ours(case)
    assert ours.value.args == real.value.args


# On a whole processor ---------------------------------------------------------------------------------------

CODE: Final = IRAM_BASE + 0x100
VECTORS: Final = {"NMI": ROM.start + 0x20, "kernel": ROM.start + 0x30, "user": ROM.start + 0x50}
VECTORS_THAT_STOP: Final = {**VECTORS, "debug": ROM.start + 0x10, "double": ROM.start + 0x70}
EPC1, EPC3, EPS3, EXCCAUSE, SAVED_INTERRUPTS, INTENABLE = 177, 179, 195, 232, 226, 228
LEVEL, EXCEPTION, USER = 0xF, 0x10, 0x20
FRAME: Final = 0x100
LINES: Final = range(14)  # of level 1
EDGES: Final = 0x3F80
MOST_CALLS: Final = 60
BELOW: Final = slice(STACK - DRAM_BASE - 0x2000, STACK - DRAM_BASE)
DEBUG_LEVEL: Final = 2
OF_VECTOR: Final = 0x3FFF_DAAC  # the real vector has its literal there, outside the ROM


class Chip:
    """A processor with one ROM or the other, where firmware's functions are all the same one.

    Args:
        seed: For registers, memory, and what firmware does.
        rom: The real ROM, or None for ours.
    """

    def __init__(self, seed: int, rom: bytes | None) -> None:
        self.core = FullCore(self, rom)
        self.source = random.Random(seed)
        self.events: list[tuple[object, ...]] = []
        self.ended = ""
        for address in (*POINTERS, PRINT):
            self.core.hooks[address] = partial(self._called, address)
        self.core.hooks[RETURN] = partial(self.end, "returned")
        if rom is None:
            OwnRom(self.core, self, functions.FUNCTIONS)
        self._start()
        self.on_call: Callable[[int], int | None] = self._answer
        self.on_wait: Callable[[], None] = partial(self.end, "waits")

    def _start(self) -> None:
        core = self.core
        core.reset()
        core.dram[:] = self.source.randbytes(len(core.dram))
        core.load(ROM_DATA.start, bytes(len(ROM_DATA)))
        for address, word in functions.DATA.items():
            core.store_word(address, word)
        core.load(OF_VECTOR, words(BY_CAUSE))
        core.a[:] = [self.source.getrandbits(32) for _ in range(16)]
        core.a[0], core.a[1] = RETURN, STACK
        core.special.update({EPC1: RETURN, EXCCAUSE: self.source.randrange(64)})
        core.sar, core.ps = self.source.randrange(33), USER

    # What firmware does ------------------------------------------------------------------------------------

    def _called(self, address: int) -> None:
        core, special = self.core, self.core.special
        frames = tuple(self.seen(core.a[number]) for number in (2, 3))
        self.events.append((hex(address), core.a[2], core.enabled, core.ps, frames))
        if len(self.events) > MOST_CALLS:
            self.end("calls and calls")
            return
        result = self.on_call(address)
        if result is not None:
            core.a[2:12] = [self.source.getrandbits(32) for _ in range(10)]
            core.a[2], core.pc = result, core.a[0]
            core.sar = special.get(EXCCAUSE, 0) & 0x1F

    def seen(self, frame: int) -> bytes:
        """A frame where firmware was interrupted; nothing where the ROM was."""
        if not STACK - 0x2000 <= frame <= STACK or frame % 4:
            return b""
        content = bytes(self.core.dram[frame - DRAM_BASE :][: FRAME // 2])
        return content if int.from_bytes(content[:4], "little") >> 12 == CODE >> 12 else b""

    def _answer(self, _address: int) -> int:
        return self.source.getrandbits(32)

    # The rest of the board ---------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.core.stop = True

    def delay(self, _micros: int) -> None:
        raise AssertionError

    def read_flash(self, _address: int, _size: int) -> bytes:
        raise AssertionError

    def read(self, address: int, _size: int) -> int:
        raise Trap("nothing is there", address=address)

    def write(self, address: int, _value: int, _size: int) -> None:
        raise Trap("nothing is there", address=address)

    def enter_rom(self, core: Core, address: int) -> None:
        raise Trap(f"a ROM routine, a0 {core.a[0]:#x}", address=address)

    def run(self, pc: int) -> None:
        core = self.core
        core.pc = pc
        most = core.instructions + 1_000_000
        while not self.ended and core.instructions < most:
            core.run(20_000)
            if core.waiting and not self.ended:
                self.events.append(("wait", core.ps & LEVEL))
                self.on_wait()

    def outcome(self, *, registers: bool = True) -> dict[str, object]:
        core = self.core
        dram = core.dram[:]
        dram[BELOW] = bytes(BELOW.stop - BELOW.start)
        found: dict[str, object] = {"ended": self.ended, "events": self.events, "memory": bytes(dram)}
        if registers:
            kept = {number: core.special.get(number, 0) for number in (EPC1, SAVED_INTERRUPTS, INTENABLE)}
            found |= {"a": core.a[:], "ps": core.ps, "sar": core.sar, "special": kept}
        return found


Scenario = Callable[[Chip], dict[str, object]]


def same(scenario: Scenario, seed: int) -> dict[str, object]:
    real, ours = (scenario(Chip(seed, rom)) for rom in (boot_rom(), None))
    for what, value in real.items():
        assert ours[what] == value, f"seed {seed}: {what}"
    return real


def in_the_handler(chip: Chip) -> None:
    """As a vector leaves the processor: a frame on the stack with three registers in it."""
    core = chip.core
    core.a[1] -= FRAME
    core.ps |= EXCEPTION
    core.special[EPC1] = CODE
    core.hooks[CODE] = partial(chip.end, "back")


def handled(address: int, chip: Chip) -> dict[str, object]:
    in_the_handler(chip)
    cause = chip.source.randrange(64)
    chip.core.a[2] = cause
    function = chip.source.choice((0, NONE, *POINTERS))
    if address == BY_NAME["_xtos_return_from_exc"].address:
        chip.core.store_word(chip.core.a[1], CODE)
    for served in (cause, 3):
        chip.core.store_word(C_BY_CAUSE + 4 * served, function)
    chip.run(address)
    return chip.outcome()


@pytest.mark.parametrize("name", ["_xtos_c_wrapper_handler", "_xtos_cause3_handler", "_xtos_return_from_exc"])
def test_handlers_of_exceptions(name: str) -> None:
    found = {str(same(partial(handled, BY_NAME[name].address), seed)["ended"]) for seed in range(CALLS)}
    assert found == {"back"}


def test_no_interrupt_is_none() -> None:
    def spurious(chip: Chip) -> dict[str, object]:
        in_the_handler(chip)
        chip.core.special[INTENABLE] = chip.source.getrandbits(15)
        chip.run(BY_NAME["_xtos_l1int_handler"].address)
        return chip.outcome()

    for seed in range(CALLS):
        assert same(spurious, seed)["ended"] == "back"


class Interrupts:
    """Interrupts of a chip, which come at any time.

    Args:
        chip: Where.
        own_masks: Whether masks and groups are at random, and not the ROM's.
        nested: How many come at most while others are served.
    """

    def __init__(self, chip: Chip, *, own_masks: bool, nested: int) -> None:
        self._chip, self._nested = chip, nested
        source, core = chip.source, chip.core
        allowed = source.choice((WORD, source.getrandbits(15)))
        enabled = source.getrandbits(len(LINES)) | 1 << source.choice(LINES)
        core.load(ENABLED, words(enabled, allowed))
        core.special[INTENABLE] = enabled & allowed
        for number in LINES:
            core.load(place_of(number), words(source.choice(POINTERS), number))
            if own_masks:
                above = source.getrandbits(15) >> number + 1 << number + 1
                core.load(place_of(number) + MASKS, words(above, source.getrandbits(15)))
        chip.on_call = self._served

    def come(self) -> None:
        """One or several."""
        source, core = self._chip.source, self._chip.core
        some = source.choice((1 << source.choice(LINES), source.getrandbits(len(LINES)), core.enabled))
        core.raise_interrupt(some & EDGES)
        core.lines |= some & ~EDGES

    def _served(self, _address: int) -> int:
        chip = self._chip
        chip.core.lines &= ~(1 << chip.core.a[2])
        if self._nested and chip.source.random() < 0.5:
            self._nested -= 1
            self.come()
        return chip.source.getrandbits(32)


def interrupted(chip: Chip, *, own_masks: bool, nested: int) -> dict[str, object]:
    core = chip.core
    interrupts = Interrupts(chip, own_masks=own_masks, nested=nested)
    core.load(CODE, bytes.fromhex("3df0") * 4)  # nop.n
    core.hooks[CODE + 8] = partial(chip.end, "went on")
    interrupts.come()
    chip.run(CODE)
    return chip.outcome()


@pytest.mark.parametrize("own_masks", [False, True])
@pytest.mark.parametrize("nested", [0, 1, 12])
def test_interrupts(own_masks: bool, nested: int) -> None:
    found = [same(partial(interrupted, own_masks=own_masks, nested=nested), seed) for seed in range(CALLS)]
    assert {outcome["ended"] for outcome in found} == {"went on"}
    assert any(outcome["events"] for outcome in found)


RAISES: Final = {
    "illegal": "000000",
    "part of a word": "520600",  # l8ui a5, a6, 0
    "unaligned": "522600",  # l32i a5, a6, 0
    "store": "526600",  # s32i a5, a6, 0
}
AT: Final = {"part of a word": IRAM_BASE, "unaligned": SCRATCH + 2, "store": 0x2000_0000}


def raised(what: str, chip: Chip, *, set_by: str = "") -> dict[str, object]:
    """An instruction raises an exception; firmware's function for it goes on behind that instruction."""
    core = chip.core
    core.load(CODE, bytes.fromhex(RAISES[what]))
    core.a[6] = AT.get(what, 0)
    core.hooks[CODE + 3] = partial(chip.end, "went on")
    core.ps |= chip.source.randrange(4)
    if set_by:
        for cause in (0, 3, 9, 29):
            core.load(BY_CAUSE + 4 * cause, words(0x4000_0598))
            core.load(C_BY_CAUSE + 4 * cause, words(POINTERS[0]))

    def skip(address: int) -> int:
        if address != PRINT:
            core.store_word(core.a[2], CODE + 3)
        elif len(chip.events) > 2:
            chip.end("is tried again")
        return chip.source.getrandbits(32)

    chip.on_call = skip
    chip.run(CODE)
    return chip.outcome(registers=bool(set_by))


@pytest.mark.parametrize("what", RAISES)
def test_exceptions(what: str) -> None:
    for seed in range(CALLS):
        assert same(partial(raised, what, set_by="firmware"), seed)["ended"] == "went on"


@pytest.mark.parametrize("what", [what for what in RAISES if what != "unaligned"])
def test_exceptions_that_nobody_handles(what: str) -> None:
    for seed in range(10):
        assert same(partial(raised, what), seed)["ended"] == "is tried again"


def test_an_unaligned_access_that_nobody_handles() -> None:
    def unaligned(chip: Chip) -> dict[str, object]:
        chip.core.load(STACK - 0x1000, bytes(0x1000))
        return raised("unaligned", chip)

    for seed in range(10):
        assert same(unaligned, seed)["ended"] == "is tried again"


def test_what_is_not_handled_at_all() -> None:
    """It stops, or at a debugger's level tries again, until something else ends it."""

    def unhandled(chip: Chip) -> dict[str, object]:
        in_the_handler(chip)
        chip.core.ps |= chip.source.randrange(4)
        chip.run(BY_NAME["_xtos_unhandled_exception"].address)
        return {"ended": chip.ended, "a": chip.core.a[:], "level": chip.core.ps & LEVEL}

    assert {same(unhandled, seed)["ended"] for seed in range(CALLS)} == {"back", "waits"}


@pytest.mark.parametrize("level", range(4))
def test_an_interrupt_that_nobody_handles(level: int) -> None:
    def unhandled(chip: Chip) -> dict[str, object]:
        chip.core.ps |= level
        chip.run(BY_NAME["_xtos_unhandled_interrupt"].address)
        return {"ended": chip.ended, "a": chip.core.a[:], "level": chip.core.ps & LEVEL}

    assert same(unhandled, level)["ended"] == ("waits" if level < DEBUG_LEVEL else "returned")


def test_an_nmi_goes_on_where_it_came() -> None:
    def came(chip: Chip) -> dict[str, object]:
        chip.core.special[EPC3], chip.core.special[EPS3] = RETURN, chip.source.getrandbits(4) | USER
        chip.run(VECTORS["NMI"])
        return chip.outcome()

    for seed in range(CALLS):
        assert same(came, seed)["ended"] == "returned"


@pytest.mark.parametrize("name", ["kernel", "debug", "double"])
def test_vectors_that_stop(name: str) -> None:
    def stops(chip: Chip) -> dict[str, object]:
        chip.run(VECTORS_THAT_STOP[name])
        return {"ended": chip.ended, "level": chip.core.ps & LEVEL}

    assert same(stops, 0)["ended"] == "waits"


# Tasks on a whole processor ---------------------------------------------------------------------------------


def with_tasks(chip: Chip) -> dict[str, object]:
    """Tasks that post messages to each other, by chance an idle function, and an interrupt that posts."""
    core, source = chip.core, chip.source
    for priority in (3, 9, 32):
        length = source.choice((1, 2, 5))
        core.load(TASKS + 16 * (priority - 1), row_of(priority, length, source.randrange(length), 0))
    core.load(place_of(9), words(POINTERS[0], 9))
    core.load(ENABLED, words(1 << 9, WORD))
    core.special[INTENABLE] = 1 << 9
    if source.random() < 0.5:
        core.load(IDLE, words(POINTERS[1], source.getrandbits(32)))
    waits = iter(range(6))

    def posts(_address: int) -> int | None:
        if source.random() < 0.3:
            return source.getrandbits(32)
        if source.random() < 0.3:
            core.raise_interrupt(1 << 9)
        core.a[2:5] = source.choice((3, 9, 32)), source.getrandbits(32), source.getrandbits(32)
        core.pc = POST
        return None

    def wakes() -> None:
        if next(waits, None) is None:
            chip.end("waits")
        core.raise_interrupt(1 << 9)

    chip.on_call, chip.on_wait = posts, wakes
    chip.run(BY_NAME["ets_run"].address)
    return chip.outcome(registers=False)


def test_tasks() -> None:
    found = [same(with_tasks, seed) for seed in range(CALLS)]
    assert {outcome["ended"] for outcome in found} <= {"waits", "calls and calls"}


# The start --------------------------------------------------------------------------------------------------


VARIABLES: Final = range(0x3FFF_DAB0, 0x3FFF_EB30)
"""What has no value before a start."""


def started(rom: BootRom | None) -> dict[int, int]:
    """The ROM's variables when it has given the processor to an image that does nothing."""
    store = MemoryStore(MB)
    store.write(
        0, BootImage(2, 0x40, CODE, (Segment(CODE, bytes.fromhex("06ffff00")),)).build()
    )  # j to itself
    chip = FirmwareChip(Setup(default_part(MB), store), rom)
    run_firmware(chip, 1)
    dram = bytes(chip.board.core.dram)
    places = {*functions.DATA, *range(VARIABLES.start, VARIABLES.stop, 4)}
    return {at: int.from_bytes(dram[at - DRAM_BASE :][:4], "little") for at in places}


def test_a_start_leaves_the_same() -> None:
    real, ours = started(BootRom.parse(boot_rom())), started(None)
    assert not {hex(at): (hex(word), hex(ours[at])) for at, word in sorted(real.items()) if word != ours[at]}
