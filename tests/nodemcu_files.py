"""Where each release of NodeMCU has its files, told a second time for tests, and what it mounts there.

Nothing of imgtool is asked: the places are written down from the sources of the releases (spiffs.c and
platform.c at their tags), and the file system is run by tests/spiffs_model.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from fixtures import nodemcu
from fixtures.upgrades import MB, before_3, from_3, resolved, used, used_3
from tests.spiffs_model import Config, RefusedError, Spiffs

KB: Final = 1 << 10
SECTOR: Final = 0x1000
SIZES: Final = (512 * KB, MB, 2 * MB, 4 * MB, 8 * MB, 16 * MB)
SMALL_FLASH: Final = 700_000
LEAST: Final = 400_000


def content(seed: int, size: int) -> bytes:
    """Bytes of a file, each byte value among them."""
    return bytes((seed * 37 + at * (at >> 8 | 1) + (at >> 3)) & 0xFF for at in range(size))


FILES: Final[Mapping[bytes, bytes]] = {
    b"init.lua": b"print('hi')\n",
    b"empty.txt": b"",
    b"one": b"\xff",
    b"page": content(1, 251),
    b"page-and-one": content(2, 252),
    b"http/index.html": b"<html>\xc3\xa9</html>\n",
    b"a-name-of-thirty-one-bytes.data": content(3, 1000),
    b"header-full.bin": content(4, 26_355),
    b"header-over.bin": content(5, 26_356),
    b"long.bin": content(6, 70_001),
    "caf\u00e9.txt".encode(): b"un caf\xc3\xa9\n",
    b".hidden": bytes(range(256)),
}
"""Twelve files."""


@dataclass(frozen=True)
class Release:
    """How a release finds its files.

    ``layout`` and ``magic`` are those of tests/spiffs_model.py; ``kept`` is sectors at the end of the flash;
    ``probes`` is which block sizes it looks for at a place, of those that fit.
    """

    name: str
    layout: str
    magic: str
    kept: int
    each_size: bool = False
    sizes: tuple[int, ...] = SIZES

    def image(self) -> bytes:
        """Its firmware."""
        if self.name == "3.0":
            return from_3()
        return from_3(early=True) if self.name == "3.0-2019" else before_3(self.name)

    def flash(self, contents: Mapping[int, bytes], size: int) -> bytes:
        """A flash that ran it."""
        if self.name.startswith("3"):
            return used_3(self.image(), contents, size, early=self.name != "3.0")
        return used(self.image(), contents, size)

    def configs(self, flash: bytes, irom_end: int) -> Iterator[tuple[int, Config]]:
        """Where it looks, in order, and for what."""
        if self.name.startswith("3"):
            yield from self._in_partition(flash)
            return
        end = len(flash) - self.kept * SECTOR
        if self.magic == "none":
            start = -(-irom_end // 0x4000) * 0x4000
            yield start, Config(SECTOR, (end - start) // SECTOR, self.layout, self.magic)
            return
        for start in dict.fromkeys(self._places(len(flash), irom_end)):
            yield from self._at(start, end)

    def made(self, flash: bytes, irom_end: int) -> tuple[int, Config]:
        """Where it makes one."""
        if self.magic == "none" or self.name.startswith("3"):
            return next(self.configs(flash, irom_end))
        end = len(flash) - self.kept * SECTOR
        if len(flash) < SMALL_FLASH:
            start = _up(irom_end, 0x2000)
        else:
            start = _up(irom_end + 0x10000, 0x10000)
            start = _up(irom_end + 0x8000, 0x2000) if end - start < LEAST else start
        return [*self._at(start, end)][-1]

    def _places(self, size: int, irom_end: int) -> Iterator[int]:
        if size >= SMALL_FLASH:
            yield from (_up(irom_end, 0x10000) + 0x10000 * number for number in range(8))
        yield from (_up(irom_end, 0x2000) + 0x2000 * number for number in range(8))

    def _at(self, start: int, end: int) -> Iterator[tuple[int, Config]]:
        fitting = [block for block in (0x1000, 0x2000) if (end - start) // block >= 4]
        for block in fitting if self.each_size else fitting[-1:]:
            yield start, Config(block, (end - start) // block, self.layout, self.magic)

    def _in_partition(self, flash: bytes) -> Iterator[tuple[int, Config]]:
        table = {kind: (at, size) for kind, at, size in _table(flash)}
        start, size = table[nodemcu.SPIFFS0]
        start, end = _up(start, 0x2000), (start + size) // 0x2000 * 0x2000
        yield start, Config(0x2000, (end - start) // 0x2000, self.layout, self.magic)


RELEASES: Final = (
    Release("0.9.5", "0.9.5", "none", 4, sizes=SIZES[:4]),
    Release("1.4.0", "packed", "none", 4, sizes=SIZES[:4]),
    Release("1.5.1", "packed", "none", 4, sizes=SIZES[:4]),
    Release("1.5.4.1-20160802", "aligned", "linear", 5, sizes=SIZES[:4]),
    Release("1.5.4.1-20161201", "aligned", "old", 5, sizes=SIZES[:4]),
    Release("2.0.0", "aligned", "old", 5, sizes=SIZES[:4]),
    Release("2.1.0-20170521", "aligned", "old", 5),
    Release("2.1.0-20170811", "aligned", "linear", 5, each_size=True),
    Release("2.2.1", "aligned", "linear", 5, each_size=True),
    Release("3.0-2019", "aligned", "linear", 0, sizes=SIZES[1:]),
    Release("3.0", "aligned", "linear", 0, sizes=SIZES[1:]),
)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _table(flash: bytes) -> list[tuple[int, ...]]:
    """The partition table of NodeMCU 3 as its first boot leaves it: kind, start and size of each entry."""
    table = _records(flash[0x10000:0x11000])
    resolved_already = any(kind == nodemcu.IROM0TEXT and size for kind, _, size in table)
    return table if resolved_already else _records(resolved(flash[:0x11000], len(flash)))


def _records(page: bytes) -> list[tuple[int, ...]]:
    at = 0
    while page[at + 1] != nodemcu.RECORD_TABLE:
        at += 4 + 4 * page[at]
    raw = page[at + 4 : at + 4 + 4 * page[at]]
    return [
        tuple(int.from_bytes(raw[place + n : place + n + 4], "little") for n in (0, 4, 8))
        for place in range(0, len(raw), 12)
    ]


def mounted(release: Release, flash: bytes, irom_end: int) -> tuple[int, Spiffs] | None:
    """Where a release finds a file system, and that; None where it formats."""
    for start, config in release.configs(flash, irom_end):
        data = flash[start : start + config.block * config.blocks]
        model = Spiffs(config, data)
        try:
            model.mount()
        except RefusedError:
            continue
        return start, model
    return None


def with_files(release: Release, size: int, irom_end: int, files: Mapping[bytes, bytes] = FILES) -> bytes:
    """The flash of a board that ran a release, which has written these files, and more that are gone."""
    flash = release.flash({}, size)
    start, config = release.made(flash, irom_end)
    model = Spiffs(config)
    if release.magic != "none":
        model.format()
    model.mount()
    assert model.write(b"gone.lua", content(9, 3000))
    for name, data in files.items():
        assert model.write(name, b"before" * 20), name
        assert model.write(name, data), name
    model.remove(b"gone.lua")
    return release.flash({start: model.data}, size)


def contents(model: Spiffs) -> dict[bytes, bytes]:
    """All files of a file system."""
    return {name: model.read(name) for name, _ in model.listing()}
