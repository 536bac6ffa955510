"""Firmware on the virtual board: real images under the real boot ROM, and what each of them shows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imgtool.chip import ROM_SIZE
from imgtool.errors import FormatError
from imgtool.flash_parts import default_part
from imgtool.virtual.board.boot_rom import BootRom
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.chip.machine import Setup, Stop, VirtualChip
from imgtool.virtual.chip.store import MemoryStore
from imgtool.virtual.cpu.core import Trap
from tests.device.boards import made_up_rom
from tests.rom_host import SYNC, SYNC_REPLY
from tests.support import BOOT_ROM, corpus_folder

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1_000_000_000
needs_rom = pytest.mark.skipif(not BOOT_ROM, reason="IMGTOOL_BOOT_ROM names no dump of the boot ROM")


@lru_cache(maxsize=1)
def rom() -> BootRom:
    return BootRom.parse(Path(BOOT_ROM).read_bytes())


class Console:
    """A board with something in its flash, and what it says."""

    def __init__(self, *parts: tuple[int, bytes], megabytes: int = 4) -> None:
        part = default_part(megabytes << 20)
        store = MemoryStore(part.bytes)
        for address, content in parts:
            store.write(address, content)
        self.chip = FirmwareChip(Setup(part, store), rom())
        self.said = b""
        self.speeds: list[int] = []
        self.chip.power_on(download=False)

    def run(self, seconds: float, until: bytes | None = None) -> bytes:
        """Let it run for so long, or until it has said something; what it has said in this time."""
        before = len(self.said)
        end = self.chip.now + round(seconds * SECOND)
        while self.chip.now < end and (until is None or until not in self.said[before:]):
            moment = min(end, self.chip.now + SECOND // 20)
            if self.chip.run(moment) is Stop.IDLE:
                self.chip.pass_time(moment)
            for byte, _, speed in self.chip.uart.drain():
                self.said += bytes([byte])
                if self.speeds[-1:] != [speed]:
                    self.speeds.append(speed)
        return self.said[before:]

    def type(self, line: str, until: bytes = b"> ") -> str:
        """Type a line at the prompt; what comes back."""
        self.chip.uart.arrive(line.encode() + b"\r\n", self.chip.now, None)
        return self.run(5, until).decode("latin-1")

    @property
    def flash(self) -> bytes:
        return self.chip.flash.read(0, self.chip.flash.length)


def nodemcu_3() -> bytes:
    return (corpus_folder() / "nodemcu/heikomat-firmware-lfs.bin").read_bytes()


def nodemcu_0_9_5() -> bytes:
    return (corpus_folder() / "nodemcu/nodemcu_integer_0.9.5_20150318.bin").read_bytes()


@pytest.mark.parametrize("data", [b"", bytes(ROM_SIZE - 1), bytes(ROM_SIZE)])
def test_a_file_that_is_no_boot_rom(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a dump of the boot ROM"):
        BootRom.parse(data, source="rom.bin")


@pytest.mark.parametrize("offset", [0, 0x1000, 0x8004, 0xFFFC])
def test_download_mode_answers_words_of_the_rom(offset: int) -> None:
    content = made_up_rom()
    chip = FirmwareChip(Setup(), BootRom(content))
    assert chip.peek(0x4000_0000 + offset) == int.from_bytes(content[offset : offset + 4], "little")


@pytest.mark.parametrize(("address", "size"), [(0x4000_0002, 4), (0x4000_0000, 1), (0x4000_0004, 2)])
def test_the_rom_is_read_by_words_alone(address: int, size: int) -> None:
    with pytest.raises(Trap):
        FirmwareChip(Setup(), BootRom(made_up_rom())).read(address, size)


def test_beside_the_rom_and_without_one_nothing_has_changed() -> None:
    chip = FirmwareChip(Setup(), BootRom(made_up_rom()))
    assert [chip.peek(address) for address in (0x3FFE_7FFC, 0x4001_0000)] == [0, 0]
    assert [VirtualChip().peek(0x4000_0000 + offset) for offset in (0, 0x1000, 0xFFFC)] == [0, 0xFFF0C101, 0]


@needs_rom
@pytest.mark.parametrize("image", [nodemcu_3, nodemcu_0_9_5])
def test_nodemcu_comes_to_its_prompt_and_answers(image: Callable[[], bytes]) -> None:
    console = Console((0, image()))
    console.run(60, b"\n> ")
    assert "2\r\n" in console.type("print(1+1)")
    assert console.type('file.open("a.lua","w") file.writeline("print(6*7)") file.close()').endswith("> ")
    assert "42\r\n" in console.type('dofile("a.lua")')


@needs_rom
def test_two_first_boots_leave_the_same_flash_and_say_the_same() -> None:
    first, second = Console((0, nodemcu_3())), Console((0, nodemcu_3()))
    assert first.run(60, b"\n> ") == second.run(60, b"\n> ")
    assert first.flash == second.flash != Console((0, nodemcu_3())).flash


@needs_rom
def test_both_tiers_of_the_core_do_the_same() -> None:
    closures_alone, translated_at_once = Console((0, nodemcu_3())), Console((0, nodemcu_3()))
    closures_alone.chip.board.core.warm = 1 << 30
    translated_at_once.chip.board.core.warm = 2
    assert closures_alone.run(0.5) == translated_at_once.run(0.5) != b""
    assert closures_alone.flash == translated_at_once.flash


@needs_rom
def test_a_boot_loader_without_an_application_is_reset_by_the_watchdog_it_starts() -> None:
    console = Console((0, (corpus_folder() / "boot/boot_v1.7.bin").read_bytes()))
    said = console.run(20, b"user code done")
    rounds = [line for line in said.split(b"\r\n") if b"boot failed" in line]
    assert rounds[:4] == [
        b"first boot failed 0, reboot to try this bin again",
        b"first boot failed 5a5a5a01, reboot to try this bin again",
        b"first boot failed 5a5a5a02, reboot to try this bin again",
        b"first boot failed, reboot to try backup bin",
    ]
    assert said.count(b"rst cause:4") == 7


@needs_rom
def test_deep_sleep_ends_in_a_reset_by_the_alarm() -> None:
    console = Console((0, (corpus_folder() / "sdkapps/esptool-deepsleep.bin").read_bytes()))
    said = console.run(2, b"rst cause:5")
    assert said.count(b"About to sleep") == 1
    assert console.speeds == [74_928, 115_274, 74_928]


@needs_rom
def test_an_idle_prompt_does_not_wake_the_watchdog() -> None:
    console = Console((0, nodemcu_0_9_5()))
    console.run(60, b"\n> ")
    assert console.run(60) == b""


@needs_rom
def test_an_endless_loop_of_lua_does() -> None:
    console = Console((0, nodemcu_0_9_5()))
    console.run(60, b"\n> ")
    assert "wdt reset" in console.type("while true do end", until=b"wdt reset")


@needs_rom
def test_without_its_irom_part_firmware_faults_again_and_again() -> None:
    console = Console((0, nodemcu_0_9_5()[:0x10000]))
    said = console.run(0.5)
    assert said.count(b"Fatal exception (0)") > 1


@needs_rom
def test_behind_a_run_of_firmware_the_download_mode_is_as_ever() -> None:
    console = Console((0, nodemcu_0_9_5()))
    console.run(60, b"\n> ")
    console.chip.power_on(download=True)
    banner = console.run(1)
    assert banner == b"\r\n ets Jan  8 2013,rst cause:2, boot mode:(1,6)\r\n\r\n"
    console.chip.uart.arrive(SYNC, console.chip.now, 115_200)
    assert console.run(1) == SYNC_REPLY * 8


@needs_rom
def test_lua_from_before_is_there_after_a_reset() -> None:
    console = Console((0, nodemcu_0_9_5()))
    console.run(60, b"\n> ")
    console.type('file.open("init.lua","w") file.writeline("print(6*7)") file.close()')
    console.chip.power_on(download=False)
    assert b"\r\n42\r\n> " in console.run(60, b"\n> ")
