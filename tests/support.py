"""What the tests share: the synthesised images, the real ones, and small views on results."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from fixtures import make
from imgtool.formats.regions import nodemcu_page
from imgtool.formats.regions.nodemcu_page import Entry, PartitionTable, Record, RecordPage
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.flashing.plan import PlanRequest, Target, plan_flash

if TYPE_CHECKING:
    from imgtool.formats.reading import Finding, Part
    from imgtool.operations.inspect.describe import Description

CORPUS_VARIABLE: Final = "IMGTOOL_CORPUS"
IROM: Final = 0x10000

# A dump of the boot ROM is for the tests that ask for one: to all others a boot is what imgtool models.
# Under another name it still reaches the processes that run tests.
BOOT_ROM: Final = os.environ.setdefault("IMGTOOL_TESTS_BOOT_ROM", os.environ.pop("IMGTOOL_BOOT_ROM", ""))
"""Path of the dump; empty where there is none."""

PATIENCE: Final = 300.0
"""Seconds until what has not come by then is taken never to come.

So many that a busy machine is no reason to fail.  Where all is well, nobody waits for them.
"""

SILENCE: Final = 0.2
"""Seconds in which nothing may come.  A busy machine makes such a check weaker and does not fail it."""

_LOOK: Final = 0.01  # seconds between two looks at what may have come true

IMAGES: Final = make.build()
"""Every synthesised image by its path, see fixtures/README.md."""


def aggregate(folder: str, *, fill: int = 0xFF, names: tuple[str, str] = ("0x00000", "0x10000")) -> bytes:
    """The two halves in a folder of the fixtures put together by hand, not by imgtool."""
    boot, code = (IMAGES[f"{folder}/{name}.bin"] for name in names)
    return boot.ljust(IROM, bytes([fill])) + code


def over(flash: bytes, writes: Iterable[tuple[int, bytes]]) -> bytes:
    """A flash with other bytes at some addresses."""
    content = bytearray(flash)
    for address, data in writes:
        content[address : address + len(data)] = data
    return bytes(content)


def flashed(flash: bytes, image: bytes) -> bytes:
    """The flash after ``imgtool flash`` with one image for 0."""
    target = Target("ESP8266EX", embedded=False, mac="", flash_id=b"", flash_bytes=len(flash))
    request = PlanRequest((Piece(0, image, "image"),), init_data=InitDataSource())
    plan = plan_flash(request, target, lambda address, size: flash[address : address + size])
    return over(flash, [(piece.address, piece.data) for piece in plan.pieces])


def flash_512k(*writes: tuple[int, bytes]) -> bytes:
    """The flash of a board of 512 KB with NodeMCU and its init data on it, and more at other addresses."""
    erased = b"\xff" * 0x80000
    stated = (3, b"\0")  # 512 KB in the header, as flash would have it
    return over(erased, [(0, aggregate("sample")), stated, (0x7C000, IMAGES["init-data/v05.bin"]), *writes])


def comes_true(condition: Callable[[], bool]) -> bool:
    """Whether something that another process or thread does comes true within ``PATIENCE``."""
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_LOOK)
    return True


def corpus_folder() -> Path:
    """The folder of real images; the test is skipped where there is none."""
    folder = os.environ.get(CORPUS_VARIABLE)
    if not folder:
        pytest.skip(f"{CORPUS_VARIABLE} does not name the folder of real images")
    return Path(folder)


def real(name: str) -> bytes:
    """A real image; the test is skipped where there are none."""
    return (corpus_folder() / name).read_bytes()


def read_case(corpus: Path, folder: str, name: str) -> bytes:
    """A file of a case, which may be packed; the test is skipped where no cases are beside the corpus."""
    path = corpus.parent / "cases" / folder / name
    packed = path.with_name(f"{name}.gz")
    if path.is_file():
        return path.read_bytes()
    if packed.is_file():
        return gzip.decompress(packed.read_bytes())
    pytest.skip(f"{path} is not there")


def holes(description: Description) -> list[str]:
    """Where the parts of a description leave bytes out or claim them twice; empty if they tile the file."""
    wrong: list[str] = []
    position = 0
    for part in description.parts:
        if part.offset != position or part.size <= 0:
            wrong.append(f"{part.kind} at 0x{part.offset:x}+0x{part.size:x}, expected at 0x{position:x}")
        position = part.end
    if position != description.size:
        wrong.append(f"parts end at 0x{position:x}, the file at 0x{description.size:x}")
    return wrong


def spans(parts: tuple[Part, ...]) -> list[tuple[str, int, int]]:
    """Kind, start and end of each part."""
    return [(str(part.kind), part.offset, part.end) for part in parts]


def codes(findings: tuple[Finding, ...]) -> list[str]:
    """The codes of findings, in order."""
    return [finding.code for finding in findings]


def said(findings: tuple[Finding, ...], *severities: str) -> list[str]:
    """The codes of the findings of some severities."""
    return [finding.code for finding in findings if str(finding.severity) in severities]


def flipped(data: bytes, offset: int, mask: int = 0x01) -> bytes:
    """A copy with bits of one byte turned over."""
    return data[:offset] + bytes([data[offset] ^ mask]) + data[offset + 1 :]


def table_page(*entries: tuple[int, int, int]) -> bytes:
    """A NodeMCU record page that holds one partition table."""
    table = PartitionTable(tuple(Entry(*entry) for entry in entries))
    record = Record(0, nodemcu_page.TABLE, nodemcu_page.table_payload(table))
    return RecordPage((record,)).build()


@dataclass(frozen=True)
class Run:
    """What one run of the command line left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Run]
Put = Callable[..., Path]
