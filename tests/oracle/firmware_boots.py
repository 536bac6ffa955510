"""Boots of real firmware: whole images and their broken variants, and what was seen of each run.

Not the comparison: tests/oracle/test_firmware.py runs them anew, tests/virtual/chip/test_seen_boots.py holds
the written model to what was seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from imgtool.chip import SECTOR, flash_size_of_code
from imgtool.engine.boot_logs import explain
from imgtool.flash_parts import default_part
from imgtool.formats.logs.boots import ResetCause
from imgtool.formats.regions.init_data import SETS
from imgtool.operations.inspect.file_systems import file_systems
from imgtool.virtual.board.firmware_chip import FirmwareChip
from imgtool.virtual.board.session import Ending, Said, run_firmware
from imgtool.virtual.chip.boot import BootOutcome, BootRun, boot
from imgtool.virtual.chip.boot_stage import ROM_BAUD, SDK_BAUD
from imgtool.virtual.chip.machine import Setup
from imgtool.virtual.chip.store import MemoryStore
from tests.support import flipped, real

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from imgtool.virtual.board.boot_rom import BootRom

MB: Final = 0x10_0000
INIT_DATA: Final = "initdata/esp_init_data_default_v05.bin"
INIT_DATA_8: Final = "initdata/esp_init_data_default_v08.bin"
OLD_INIT_DATA: Final = "initdata/esp_init_data_default-2014.bin"

_RECORDED: Final = Path(__file__).parents[2] / "fixtures" / "firmware" / "boots.jsonl"
_SECONDS: Final = 60.0
_KEPT: Final = 5000  # bytes of a log: a flood says the same further on
_STARTS: Final = 2  # of a loop, likewise
_BANNER: Final = b"\n ets Jan  8 2013,rst cause:"


@dataclass(frozen=True)
class Scenario:
    """A flash to boot from.

    Attributes:
        name: A name of its own.
        files: Names of real images by their flash addresses, in the order in which they are written.
        size: Bytes of the flash.
        code: The size nibble of the image header at 0, where it is not the image's own.
        erased: First and last address of what is erased again, first and last sector included.
        flip: Addresses of bytes that are damaged.
    """

    name: str
    files: Mapping[int, str]
    size: int = 4 * MB
    code: int | None = None
    erased: tuple[tuple[int, int], ...] = ()
    flip: tuple[int, ...] = ()

    def flash(self) -> bytes:
        """All of the flash before the first start; the test is skipped where there are no real images."""
        content = bytearray(b"\xff" * self.size)
        for address, file in self.files.items():
            data = real(file)[: self.size - address]
            content[address : address + len(data)] = data
        if self.code is not None:
            content[3] = content[3] & 0x0F | self.code << 4
        for start, end in self.erased:
            content[start:end] = b"\xff" * (end - start)
        made = bytes(content)
        for address in self.flip:
            made = flipped(made, address)
        return made


def _nodemcu(name: str, files: dict[int, str], codes: tuple[int, ...]) -> Iterator[Scenario]:
    """NodeMCU on a blank chip, with init data or not, in chips and with headers of other sizes, broken."""
    yield Scenario(name, files)
    for code in codes:
        yield Scenario(f"{name}, size code {code}", files, code=code)
        end = flash_size_of_code(code)
        if end is not None and 0x8_0000 <= end.bytes < 4 * MB:
            yield Scenario(f"{name}, chip of {end.name}", files, end.bytes, code)
    yield Scenario(f"{name}, 4 MB in the header of a chip of 1 MB", files, MB, 4)
    for kind, data in (("v05", INIT_DATA), ("v08", INIT_DATA_8), ("2014", OLD_INIT_DATA)):
        yield Scenario(f"{name}, init data {kind}", files | {4 * MB - 4 * SECTOR: data}, code=4)
    yield Scenario(
        f"{name}, damaged init data",
        files | {4 * MB - 4 * SECTOR: INIT_DATA},
        code=4,
        flip=(4 * MB - 4 * SECTOR,),
    )
    yield Scenario(f"{name}, without irom", files, erased=((0x1_0000, 4 * MB),))
    yield Scenario(f"{name}, first sector of irom erased", files, erased=((0x1_0000, 0x1_1000),))
    yield Scenario(f"{name}, wrong sum", files, flip=(0x100,))
    yield Scenario(f"{name}, no magic", files, flip=(0,))


def _loaders() -> Iterator[Scenario]:
    """AT firmware behind Espressif's boot loaders."""
    user1, user2 = "at/at-sdk3.0.6-2024-06-user1.bin", "at/at-sdk3.0.6-2024-06-user2.bin"
    for loader in ("1.2", "1.6", "1.7"):
        at = {0: f"boot/boot_v{loader}.bin"}
        end = 2 * MB
        ready = {end - 4 * SECTOR: INIT_DATA_8}
        name = f"loader {loader}"
        yield Scenario(f"{name} alone", at, MB, 2)
        yield Scenario(f"{name}, AT 1.7.6", at | {0x1000: user1} | ready, end, 5)
        yield Scenario(f"{name}, AT 1.7.6 twice", at | {0x1000: user1, 0x10_1000: user2} | ready, end, 5)
        yield Scenario(f"{name}, AT 1.7.6 without init data", at | {0x1000: user1}, end, 5)
        yield Scenario(f"{name}, AT 1.7.6, 512 KB in the header", at | {0x1000: user1} | ready, end, 0)
        yield Scenario(f"{name}, AT 1.7.6, wrong sum", at | {0x1000: user1} | ready, end, 5, flip=(0x5000,))
        yield Scenario(f"{name}, AT 1.7.6, user2 in slot 1", at | {0x1000: user2} | ready, end, 5)
        yield Scenario(f"{name}, AT 1.7.6, user2 alone", at | {0x10_1000: user2} | ready, end, 5)
        for code, size in ((0, 0x8_0000), (2, MB), (3, 2 * MB), (4, 4 * MB), (6, 4 * MB)):
            last = {size - 4 * SECTOR: INIT_DATA_8}
            yield Scenario(f"{name}, AT 1.7.6, size code {code}", at | {0x1000: user1} | last, size, code)
        old = at | {0x1000: "at/sdk1.4-user1.1024.new.2.bin"}
        yield Scenario(f"{name}, AT of SDK 1.4", old, MB, 2)
        yield Scenario(f"{name}, AT of SDK 1.4, init data", old | {MB - 4 * SECTOR: INIT_DATA}, MB, 2)


def _others() -> Iterator[Scenario]:
    """Firmware of other kinds."""
    at = {0: "at/at-sdk2.0-noboot-eagle.flash.bin", 0x1_0000: "at/at-sdk2.0-noboot-eagle.irom0text.bin"}
    yield Scenario("AT 1.3 without a loader", at)
    for code, size in ((0, 0x8_0000), (2, MB), (3, 2 * MB), (4, 4 * MB)):
        ready = at | {size - 4 * SECTOR: INIT_DATA_8}
        yield Scenario(f"AT 1.3 without a loader, init data, size code {code}", ready, size, code)
    yield Scenario(
        "AT 1.3 without its irom",
        at | {4 * MB - 4 * SECTOR: INIT_DATA},
        code=4,
        erased=((0x1_0000, 4 * MB - 5 * SECTOR),),
    )
    demo = {0: "sdkapps/esptool-iotdemo-0x00000.bin", 0x1_0000: "sdkapps/esptool-iotdemo-0x10000.bin"}
    yield Scenario("IoT demo", demo)
    yield Scenario("IoT demo, init data", demo | {0x7_C000: INIT_DATA}, code=0)
    python = {0: "micropython/firmware-combined-2017.bin"}
    for code in (0, 2, 3, 4):
        yield Scenario(f"MicroPython 1.9, size code {code}", python, code=code)
    yield Scenario("MicroPython 1.9, chip of 1 MB", python, MB, 2)
    rboot = {0: "boot/rboot-mger.bin", 0x2000: "sdkapps/mger-repeater-0x02000.bin"}
    yield Scenario("rBoot alone", {0: "boot/rboot-mger.bin"})
    yield Scenario("rBoot, repeater", rboot)
    yield Scenario("rBoot, repeater, init data", rboot | {4 * MB - 4 * SECTOR: INIT_DATA}, code=4)
    rtos = {0: "boot/rtos3-bootloader.bin", 0x8000: "rtos/rtos3-partition-table.bin"}
    yield Scenario("RTOS SDK loader without an application", rtos)
    yield Scenario("RTOS SDK loader, hello-world", rtos | {0x1_0000: "rtos/rtos3-hello-world.bin"})
    yield Scenario("Arduino core, deep sleep", {0: "sdkapps/esptool-deepsleep.bin"})
    yield Scenario(
        "eboot without an application", {0: "sdkapps/esptool-deepsleep.bin"}, erased=((0x1000, 4 * MB),)
    )
    yield Scenario("WLED 0.14", {0: "wled/WLED_0.14.3_ESP8266_160.bin"})
    yield Scenario("ESPHome 2021", {0: "esphome/webtools-esp8266-2021.bin"})
    yield Scenario("nothing", {})


def scenarios() -> tuple[Scenario, ...]:
    """All of them."""
    february = {0: "nodemcu/flasher-0x00000.bin", 0x1_0000: "nodemcu/flasher-0x10000.bin"}
    halves = "nodemcu/fw092-2M-eagle.app.v6"
    return (
        *_nodemcu(
            "NodeMCU 0.9.2", {0: f"{halves}.flash.bin", 0x1_0000: f"{halves}.irom0text.bin"}, (0, 2, 3, 4)
        ),
        Scenario("NodeMCU 0.9.2 for 2 MB", {0: "nodemcu/fw092-nodemcu_2M_20141219.bin"}),
        *_nodemcu("NodeMCU 0.9.5", {0: "nodemcu/nodemcu_integer_0.9.5_20150318.bin"}, (0, 1, 2, 3, 4, 5, 6)),
        *(
            Scenario(f"NodeMCU 0.9.5 of February, size code {code}", february, code=code)
            for code in (0, 2, 3, 4)
        ),
        Scenario("NodeMCU 0.9.5 of January", {0: "nodemcu/fw-20150112-esp.nodemcu.bin"}),
        *_nodemcu("NodeMCU 2.1", {0: "nodemcu/yuan-nodemcu_integer.bin"}, (0, 1, 2, 3, 4, 5, 6, 8, 9)),
        *_nodemcu("NodeMCU 3.0", {0: "nodemcu/heikomat-firmware-lfs.bin"}, (0, 1, 2, 3, 4, 5, 6, 8)),
        *_loaders(),
        *_others(),
    )


@dataclass(frozen=True)
class Seen:
    """What was seen of a run.

    Attributes:
        name: The scenario.
        ending: Why the run was ended.
        said: What it sent at which speed, the first few thousand bytes.
        verdict: What ``explain`` makes of all of it.
        sectors: Every sector that has changed, outside of file systems, with its digest.
        systems: File systems in the end: kind, offset, size, and the files with their sizes.
    """

    name: str
    ending: str
    said: tuple[Said, ...]
    verdict: str
    sectors: dict[int, str]
    systems: tuple[tuple[str, int, int, dict[str, int]], ...]

    @property
    def text(self) -> bytes:
        """All that is kept of what it sent."""
        return b"".join(piece.text for piece in self.said)

    def as_json(self) -> dict[str, Any]:
        """Itself, for a line of a file."""
        return {
            "name": self.name,
            "ending": self.ending,
            "said": [[piece.baud, piece.text.decode("latin-1")] for piece in self.said],
            "verdict": self.verdict,
            "sectors": {f"0x{address:06x}": digest for address, digest in self.sectors.items()},
            "systems": [list(system) for system in self.systems],
        }

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """What :meth:`as_json` made."""
        return cls(
            line["name"],
            line["ending"],
            tuple(Said(baud, text.encode("latin-1")) for baud, text in line["said"]),
            line["verdict"],
            {int(address, 16): digest for address, digest in line["sectors"].items()},
            tuple((kind, offset, size, files) for kind, offset, size, files in line["systems"]),
        )


def run(flash: bytes, rom: BootRom, name: str = "") -> tuple[Seen, bytes]:
    """Run a flash; what was seen, and the flash as it was left."""
    store = MemoryStore(len(flash))
    store.write(0, flash)
    chip = FirmwareChip(Setup(default_part(len(flash)), store), rom)
    done = run_firmware(chip, _SECONDS)
    after = store.read(0, len(flash))
    found = file_systems(after)
    seen = Seen(
        name,
        done.ending.name,
        tuple(_shortened(done.said, loops=done.ending is Ending.LOOP)),
        explain(done.log).verdict.name,
        changed(flash, after, [(system.offset, system.offset + system.size) for system in found]),
        tuple(
            (system.kind, system.offset, system.size, {file.path: file.size for file in system.files})
            for system in found
        ),
    )
    return seen, after


def _shortened(said: tuple[Said, ...], *, loops: bool) -> Iterator[Said]:
    left, starts = _KEPT, 0
    for piece in said:
        text = piece.text[:left]
        if loops:
            parts = text.split(_BANNER)
            text = _BANNER.join(parts[: _STARTS + 1 - starts])
            starts += len(parts) - 1
        yield Said(piece.baud, text)
        left -= len(text)
        if left <= 0 or (loops and starts > _STARTS):
            return


def changed(before: bytes, after: bytes, without: list[tuple[int, int]]) -> dict[int, str]:
    """The sectors that are no longer what they were, with digests; not those of some regions."""
    return {
        at: digest(after[at : at + SECTOR])
        for at in range(0, len(after), SECTOR)
        if after[at : at + SECTOR] != before[at : at + SECTOR]
        and not any(start <= at < end for start, end in without)
    }


@cache
def seen_boots() -> dict[str, Seen]:
    """What is recorded of each boot."""
    lines = _RECORDED.read_text(encoding="utf-8").splitlines()
    seen = [Seen.from_json(json.loads(line)) for line in lines]
    return {each.name: each for each in seen}


def digest(sector: bytes) -> str:
    """What a sector is known by."""
    return sha256(sector).hexdigest()[:16]


# What a run comes to, by how it was ended.
_OUTCOMES: Final = {
    Ending.QUIET: (BootOutcome.RUNNING,),
    Ending.TIME: (BootOutcome.RUNNING,),
    Ending.LOOP: (BootOutcome.BOOT_LOOP,),
    Ending.REPEATS: (BootOutcome.HANGS,),
    Ending.STOPPED: (BootOutcome.HANGS,),
}
_GIVEN_UP: Final = b"user code done\r\n"  # the ROM's word for a program that has come back
_SPEEDS: Final = (9_600, ROM_BAUD, SDK_BAUD)
_OWN_LOOPS: Final = ("Arduino core, deep sleep",)  # a program that does so on purpose
_NODEMCU: Final = "NodeMCU"
_UNTOLD: Final = b"ERROR in flash_read"  # of 0.9.2, built for 2 MB, on less


def differences(name: str, flash: bytes, seen: Seen) -> list[str]:
    """Where the written model of a boot says what was not seen, or of NodeMCU less than its banner.

    Args:
        name: Of the scenario.
        flash: Before the start.
        seen: What was seen of the real firmware.
    """
    model = boot(flash, ResetCause.POWER_ON, writes=True)
    wrong = []
    said, real = _spoken((event.baud, event.text) for event in model.events), _spoken(seen.said)
    apart = (at for at, (own, other) in enumerate(zip(said, real, strict=False)) if own != other)
    at = next(apart, min(len(said), len(real)))
    if at < len(said):
        wrong.append(f"text at {at}: {_text(said[at:])} and not {_text(real[at:])}")
    starts = _NODEMCU in name and seen.verdict == "RUNS" and _UNTOLD not in seen.text
    if starts and model.outcome is BootOutcome.RUNNING and b"powered by" not in _bytes(said):
        wrong.append(f"no banner: {_text(said[-60:])}")
    allowed = _OUTCOMES[Ending[seen.ending]]
    if seen.text.endswith(_GIVEN_UP):
        allowed = (BootOutcome.HANGS,)
    if model.outcome not in allowed and name not in _OWN_LOOPS:
        wrong.append(f"{model.outcome}, and it was {seen.ending}: {model.reason}")
    if at == len(said) == len(real) or model.outcome is BootOutcome.BOOT_LOOP:
        wrong += _verdicts(model, seen)
    return wrong + list(_writes(model, flash, seen))


def _verdicts(model: BootRun, seen: Seen) -> list[str]:
    """What explain makes of the model's text where that tells all."""
    loops = model.outcome is BootOutcome.BOOT_LOOP
    own = explain(b"".join(event.text for event in model.events) * (3 if loops else 1)).verdict.name
    told = any(b"rf_cal" in event.text for event in model.events)
    if loops and not told:
        return []  # the loop's own words are an application's
    return [f"explain: {own}, and {seen.verdict} of what was seen"] if own != seen.verdict else []


def _writes(model: BootRun, flash: bytes, seen: Seen) -> Iterator[str]:
    """The sectors that the model has written, as the application has not written them again."""
    if model.outcome is BootOutcome.HANGS and "erases itself" in model.reason:
        return
    after = bytearray(flash)
    for event in model.events:
        if event.write is not None:
            address, data = event.write
            start = address % len(flash) // SECTOR * SECTOR
            end = start + max(SECTOR, -(-len(data) // SECTOR) * SECTOR)
            after[start:end] = data.ljust(end - start, b"\xff")
    files = [(offset, offset + size) for _, offset, size, _ in seen.systems]
    for address, own in changed(flash, bytes(after), files).items():
        if address in seen.sectors and after[address : address + SECTOR].startswith(SETS["SDK 0.9"]):
            continue  # 0.9.5 writes what it reads while the flash cannot be read
        if seen.sectors.get(address) != own and not _parameters(address, flash):
            yield f"sector 0x{address:06x}: {own}, and {seen.sectors.get(address)} was seen"


def _parameters(address: int, flash: bytes) -> bool:
    """Whether it is a sector of the SDK's parameters, which the application writes again."""
    size = flash_size_of_code(flash[3] >> 4)
    ends = {len(flash)} | ({size.bytes} if size is not None else set())
    return any(end - 3 * SECTOR <= address < end for end in ends)


def _spoken(pieces: Iterable[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """Each byte with its speed, rounded to one that is meant."""
    return [
        (min(_SPEEDS, key=lambda speed: abs(speed - baud)), byte) for baud, text in pieces for byte in text
    ]


def _bytes(said: list[tuple[int, int]]) -> bytes:
    return bytes(byte for _, byte in said)


def _text(said: list[tuple[int, int]]) -> str:
    return f"{_bytes(said[:60])!r} at {said[0][0]} baud" if said else "nothing"
