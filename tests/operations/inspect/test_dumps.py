"""Dumps of whole flashes, fixtures/dumps.py: what stands where, what is whole, and what is never shown."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from fixtures import dumps
from imgtool.cli import app
from imgtool.cli.show.documents import description_fields
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES, codes, holes, said, spans

if TYPE_CHECKING:
    from pathlib import Path

    from imgtool.operations.inspect.describe import Description

V05 = IMAGES["init-data/v05.bin"]
BAD_SLOT = "sdk-boot-bad-slot-1m"
OTHER_SIZE = ("sdk-boot-2m-header-1m", "cut-4m-header")

LOADER = [("bootloader", 0)]
SLOT_1 = [("image-v2", 0x1000), ("irom", 0x1010), ("image-v1", 0x16A10), ("crc-tail", 0x1FFC0)]
SLOT_2 = [("image-v2", 0x81000), ("irom", 0x81010), ("image-v1", 0x96A10), ("crc-tail", 0x9FFC0)]
SDK_1M = [("rf-cal", 0xFB000), ("init-data", 0xFC000), ("system-param", 0xFD000)]
SDK_4M = [("rf-cal", 0x3FB000), ("init-data", 0x3FC000), ("system-param", 0x3FD000)]

# Every part that holds something, without fill and without what is unknown.
PARTS = {
    "sdk-boot-1m": [*LOADER, *SLOT_1, *SDK_1M],
    "sdk-boot-2-slots-1m": [*LOADER, *SLOT_1, *SLOT_2, *SDK_1M],
    "sdk-boot-2m-header-1m": [*LOADER, *SLOT_1, *SDK_1M],
    BAD_SLOT: [*LOADER, *SLOT_1, *SDK_1M],
    "tuya-like-1m": [*LOADER, *SLOT_1, ("user-data", 0xFB000), *SDK_1M[1:]],
    "cut-4m-header": [*LOADER, *SLOT_1],
    "arduino-4m": [
        ("bootloader", 0),
        ("length-crc-words", 0xFF8),
        ("app", 0x1000),
        ("littlefs", 0x200000),
        ("user-data", 0x3FB000),
        ("rf-cal", 0x3FC000),
        ("system-param", 0x3FD000),
    ],
    "micropython-1m": [
        ("image-v1", 0),
        ("length-crc-words", 0x8FFC),
        ("irom", 0x9000),
        ("md5-tail", 0x150FC),
        *SDK_1M,
    ],
    "rboot-1m": [
        ("bootloader", 0),
        ("rboot-config", 0x1000),
        ("image-v2", 0x2000),
        ("irom", 0x2010),
        ("image-v1", 0x16220),
        ("spiffs", 0x60000),
        *SDK_1M,
    ],
    "rtos3-1m": [
        ("bootloader", 0),
        ("partition-table", 0x8000),
        ("user-data", 0x9000),
        ("user-data", 0xF000),
        ("app", 0x10000),
        ("sha256-tail", 0x1A830),
    ],
    "nodemcu-2.2-4m": [("image-v1", 0), ("irom", 0x10000), ("spiffs", 0x30000), *SDK_4M],
    "nodemcu-3-used-4m": [
        ("image-v1", 0),
        ("rf-cal", 0xD000),
        ("init-data", 0xF000),
        ("partition-table", 0x10000),
        ("irom", 0x11000),
        ("lfs", 0x2E000),
        ("spiffs", 0x3E000),
        ("system-param", 0x3FD000),
    ],
    "at-512k": [("image-v1", 0), ("irom", 0x40000), ("init-data", 0x7C000), ("system-param", 0x7D000)],
    "wiped-1m": [("init-data", 0xFC000)],
}
# Where the CRC of each slot stands.
SLOTS = {
    "sdk-boot-1m": [0x1FFC0],
    "sdk-boot-2-slots-1m": [0x1FFC0, 0x9FFC0],
    "sdk-boot-2m-header-1m": [0x1FFC0],
    "tuya-like-1m": [0x1FFC0],
    "cut-4m-header": [0x1FFC0],
}
FIRMWARE = {
    "sdk-boot-1m": "non-OS SDK application",
    "sdk-boot-2-slots-1m": "non-OS SDK application",
    "arduino-4m": "Tasmota",
    "micropython-1m": "MicroPython",
    "rboot-1m": "non-OS SDK application",
    "rtos3-1m": "blinky",
    "nodemcu-2.2-4m": "NodeMCU",
    "nodemcu-3-used-4m": "NodeMCU",
    "at-512k": "ESP8266 AT",
}
FILL = ("blank", "gap")


def data_of(name: str) -> bytes:
    return IMAGES[f"dumps/{name}.bin"]


@cache
def described(name: str) -> Description:
    return describe(data_of(name))


def is_erased(data: bytes) -> bool:
    return data.count(0xFF) == len(data)


def test_every_dump_is_looked_at() -> None:
    assert {f"dumps/{name}.bin" for name in PARTS} == {name for name in IMAGES if name.startswith("dumps/")}


# --- what it is, and what stands where -----------------------------------------------------------


@pytest.mark.parametrize("name", PARTS)
def test_kind(name: str) -> None:
    assert described(name).kind == "flash-dump"


@pytest.mark.parametrize("name", PARTS)
def test_parts_cover_the_file(name: str) -> None:
    assert holes(described(name)) == []


@pytest.mark.parametrize("name", PARTS)
def test_parts(name: str) -> None:
    data = data_of(name)

    # A reserved sector that is erased may be called by its name or blank.
    found = [
        (kind, start)
        for kind, start, end in spans(described(name).parts)
        if kind not in (*FILL, "unknown") and not is_erased(data[start:end])
    ]
    assert found == PARTS[name]


@pytest.mark.parametrize("name", FIRMWARE)
def test_firmware(name: str) -> None:
    firmware = described(name).firmware

    assert firmware is not None
    assert firmware.name == FIRMWARE[name]


def test_unknown_data_is_unknown_and_said() -> None:
    description = described("micropython-1m")

    unknown = [part.offset for part in description.parts if part.kind == "unknown"]
    assert unknown[:1] == [0x98000]
    assert unknown == [f.offset for f in description.findings if f.code == "unknown-data"]
    assert "unknown-data" in said(description.findings, "note")


@pytest.mark.parametrize("name", [name for name in PARTS if name != "micropython-1m"])
def test_nothing_else_is_unknown(name: str) -> None:
    assert [span for span in spans(described(name).parts) if span[0] == "unknown"] == []


@pytest.mark.parametrize("name", PARTS)
def test_blank_parts_are_erased(name: str) -> None:
    data = data_of(name)

    blank = [part for part in described(name).parts if part.kind == "blank"]
    assert blank
    assert all(is_erased(data[part.offset : part.end]) for part in blank)


def test_flash_behind_the_stated_end_is_blank() -> None:
    assert spans(described("sdk-boot-2m-header-1m").parts)[-1] == ("blank", 0x100000, 0x200000)


def test_a_cut_dump_has_no_sdk_sectors() -> None:
    # They stood at the end of the 4 MB that the header states.
    assert spans(described("cut-4m-header").parts)[-1] == ("blank", 0x1FFC4, 0x100000)


def test_a_wiped_flash_is_blank_from_its_start() -> None:
    first = described("wiped-1m").parts[0]

    assert (first.kind, first.offset) == ("blank", 0)


def test_partitions_are_named() -> None:
    notes = [part.note for part in described("rtos3-1m").parts if part.kind == "user-data"]

    assert [label for label, note in zip(("nvs", "phy_init"), notes, strict=True) if label not in note] == []


# --- checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SLOTS)
def test_crc_of_every_slot_holds(name: str) -> None:
    tails = [part for part in described(name).parts if part.kind == "crc-tail"]

    assert [(part.offset, part.checksum and part.checksum.ok) for part in tails] == [
        (offset, True) for offset in SLOTS[name]
    ]


def test_a_damaged_slot_is_an_error_at_its_crc() -> None:
    errors = [f for f in described(BAD_SLOT).findings if f.severity == "error"]

    assert [(f.code, f.offset) for f in errors] == [("crc", 0x1FFC0)]


def test_a_rom_without_crc_is_no_error() -> None:
    description = described("rboot-1m")

    assert "crc-tail" not in [part.kind for part in description.parts]
    assert said(description.findings, "error") == []


@pytest.mark.parametrize("name", PARTS)
def test_errors(name: str) -> None:
    assert described(name).ok is (name != BAD_SLOT)


@pytest.mark.parametrize("name", [name for name in PARTS if name != BAD_SLOT])
def test_every_check_holds(name: str) -> None:
    assert [part.offset for part, check in described(name).checksums if not check.ok] == []


@pytest.mark.parametrize("name", PARTS)
def test_header_size_and_file_length(name: str) -> None:
    findings = [f for f in described(name).findings if f.code == "flash-size-differs"]

    assert [f.severity for f in findings] == ["warning"] * (name in OTHER_SIZE)


@pytest.mark.parametrize("name", [name for name in PARTS if name not in (*OTHER_SIZE, "wiped-1m")])
def test_a_device_in_use_gives_no_warning(name: str) -> None:
    # The flasher's mode in the boot loader, and the application's own, say nothing either.
    assert said(described(name).findings, "warning") == []


# --- init data -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nodemcu-2.2-4m", "nodemcu-3-used-4m", "rtos3-1m"])
def test_copies_of_init_data_are_no_sectors(name: str) -> None:
    data = data_of(name)
    copies = [at for at in range(0x40000) if data.startswith(V05, at)]

    assert any(at % 0x1000 for at in copies)
    found = [part.offset for part in described(name).parts if part.kind == "init-data"]
    assert [at for at in found if at % 0x1000] == []


@pytest.mark.parametrize("name", [name for name in PARTS if ("init-data", 0xFC000) in PARTS[name]])
def test_init_data_fills_its_sector(name: str) -> None:
    assert ("init-data", 0xFC000, 0xFD000) in spans(described(name).parts)


@pytest.mark.parametrize("name", ["arduino-4m", "rtos3-1m"])
def test_firmware_that_brings_its_own_misses_no_init_data(name: str) -> None:
    assert [code for code in codes(described(name).findings) if code.startswith("init-data")] == []


def test_a_cut_dump_misses_no_init_data() -> None:
    # Its place is behind the end of the file.
    assert "init-data-missing" not in codes(described("cut-4m-header").findings)


def test_adc_that_reads_the_supply() -> None:
    (part,) = (part for part in described("nodemcu-2.2-4m").parts if part.kind == "init-data")

    fields = part.facts["fields"]
    assert isinstance(fields, dict)
    assert fields["vdd33_const"] == 255


# --- secrets -------------------------------------------------------------------------------------


def shown(output: str) -> list[str]:
    """The secrets that an output holds, as text or in hex, also where lines are wrapped."""
    text = "".join(output.split()).lower()
    return [secret for secret in dumps.SECRETS if secret.lower() in text or secret.encode().hex() in text]


@pytest.mark.parametrize("secret", dumps.SECRETS)
def test_secrets_are_in_the_dumps(secret: str) -> None:
    assert any(secret.encode() in data_of(name) for name in PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_no_secret_in_a_description(name: str) -> None:
    assert shown(repr(described(name))) == []


@pytest.mark.parametrize("name", PARTS)
def test_no_secret_in_json(name: str) -> None:
    assert shown(json.dumps(description_fields("dump.bin", described(name)))) == []


@pytest.mark.parametrize("name", PARTS)
def test_no_secret_on_the_terminal(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dump.bin").write_bytes(data_of(name))

    with pytest.raises(SystemExit) as end:
        app.main(["inspect", "dump.bin"])

    out, err = capsys.readouterr()
    assert (end.value.code, err) == (int(name == BAD_SLOT), "")
    assert "dump.bin" in out
    assert shown(out) == []


@pytest.mark.parametrize("size", [1_500_000, 3_000_001, 0x3F_CFFF])
def test_a_dump_that_is_cut_anywhere_is_mapped(size: int) -> None:
    whole = describe(IMAGES["dumps/nodemcu-2.2-4m.bin"])
    cut = describe(IMAGES["dumps/nodemcu-2.2-4m.bin"][:size])

    before = [span for span in spans(whole.parts) if span[1] + span[2] <= size]
    assert spans(cut.parts)[: len(before)] == before
    assert sum(part.size for part in cut.parts) == size
    assert "cut-dump" in said(cut.findings, "warning")
