"""No operation reads the same bytes twice to find out what they are: that takes most of its time."""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.formats import registry
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.compare.files import compare
from imgtool.operations.extract.parts import extract
from imgtool.operations.flashing.plan import PlanRequest, Target, plan_flash
from imgtool.operations.inspect.describe import describe
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from imgtool.formats.reading import Reading

FILES: Final = {
    "whole": ((0, "generations/nodemcu-2.0.bin"),),
    "pair": ((0, "sample/0x00000.bin"), (0x1_0000, "sample/0x10000.bin")),
    "a check over the header": ((0, "arduino/core-3.1.bin"),),
    "a check beside the header": ((0, "micropython/micropython.bin"),),
    "boot loader and application": ((0, "rtos3/bootloader.bin"), (0x1_0000, "rtos3/app.bin")),
    "a table": ((0, "nodemcu-3.0-2021/0x00000.bin"), (0x1_0000, "nodemcu-3.0-2021/0x10000.bin")),
    "a whole flash": ((0, "dumps/nodemcu-3-used-4m.bin"),),
}
CHIP: Final = Target("ESP8266EX", embedded=False, mac="", flash_id=b"\xc8\x40\x16", flash_bytes=0x40_0000)


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[bytes]]:
    """How often each bytes were identified."""
    counts: Counter[bytes] = Counter()
    original: Callable[[bytes], Reading] = registry.identify

    def counted(data: bytes) -> Reading:
        counts[data] += 1
        return original(data)

    for name, module in list(sys.modules.items()):
        if name.startswith("imgtool.") and getattr(module, "identify", None) is original:
            monkeypatch.setattr(module, "identify", counted)
    describe(b"")
    assert counts.pop(b"") == 1  # it counts
    yield counts
    assert counts
    assert {data[:8].hex(): count for data, count in counts.items() if count > 1} == {}


@pytest.mark.parametrize("readable", [True, False])
@pytest.mark.parametrize("mode", [None, "qio"])
@pytest.mark.parametrize("names", FILES)
def test_by_a_flash_plan(names: str, mode: str | None, looked_at: Counter[bytes], readable: bool) -> None:
    pieces = tuple(Piece(address, IMAGES[name], name) for address, name in FILES[names])
    forced = frozenset({"mode", "size"})
    request = PlanRequest(pieces, header=HeaderChange(mode=mode), init_data=InitDataSource(), force=forced)

    plan_flash(request, CHIP, (lambda _, size: b"\xff" * size) if readable else None)

    # Each file, and those that belong together as one.
    assert len(looked_at) == len(pieces) + (len(pieces) > 1)


def test_by_a_comparison(looked_at: Counter[bytes]) -> None:
    packed = gzip.compress(IMAGES["sample/0x00000.bin"], mtime=0)

    compare(packed, IMAGES["rtos3/app.bin"])

    assert len(looked_at) == 3


def test_by_an_extraction(looked_at: Counter[bytes]) -> None:
    extract(gzip.compress(IMAGES["arduino/core-3.1.bin"], mtime=0))

    assert len(looked_at) == 2
