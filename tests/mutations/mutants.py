"""Mutants: files with some bytes changed, each one made anew from its number.

Not the judgement of what is said of them (judging.py), and not the run over many (run.py).
"""

from __future__ import annotations

import hashlib
import os
import random
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support import CORPUS_VARIABLE, IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Bases", "Mutant", "all_bases"]

SECTOR: Final = 0x1000
_LARGEST: Final = 4 << 20  # bytes; a larger file takes its time and shows nothing else
_DEAR: Final = 0x4000  # bytes; above that a file comes up the more seldom the larger it is
_EDGES: Final = (0x00, 0x01, 0x02, 0x04, 0x05, 0x7F, 0x80, 0xE9, 0xEA, 0xEF, 0xFE, 0xFF)
_WORDS: Final = (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x4010_0000, 0x4021_0000, 0x3FFE_8000, 0x1000)
_HEADER: Final = 64  # bytes in which most formats say what they are
_LONGEST: Final = 300  # bytes of a stretch
_MOST: Final = 4  # changes of one mutant


class Mutant(NamedTuple):
    """A file with some bytes changed.

    Attributes:
        number: Which one it is.
        base: Name of the file that it was.
        data: Its bytes.
        how: What was changed, in words.
        damage: Whether no bytes were moved: pieces of files put together may be a good file.
    """

    number: int
    base: str
    data: bytes
    how: str
    damage: bool


class Bases:
    """The files that mutants are made of."""

    def __init__(self, files: Mapping[str, bytes], seed: int) -> None:
        self.files = dict(sorted(files.items()))
        self.seed = seed
        self._names = [name for name, data in self.files.items() if data]
        sizes = [len(self.files[name]) for name in self._names]
        self._weights = [*accumulate(_DEAR / max(_DEAR, size) for size in sizes)]

    @property
    def key(self) -> str:
        """What a number means depends on the files and the seed: a digest of both."""
        digest = hashlib.sha256(str(self.seed).encode())
        for name, data in self.files.items():
            digest.update(name.encode() + hashlib.sha256(data).digest())
        return digest.hexdigest()[:16]

    def mutant(self, number: int) -> Mutant:
        """The mutant of that number, always the same."""
        chance = random.Random(f"{self.seed}:{number}")
        name = chance.choices(self._names, cum_weights=self._weights)[0]
        data = bytearray(self.files[name])
        changes = 1 if chance.random() < 0.6 else chance.randint(2, _MOST)
        made = [chance.choice(_CHANGES) for _ in range(changes)]
        how = [change(data, chance, self) for change in made]
        return Mutant(number, name, bytes(data), ", ".join(how), damage={*made} <= _DAMAGE)

    def other(self, chance: random.Random) -> bytes:
        """Some file."""
        return self.files[chance.choices(self._names, cum_weights=self._weights)[0]]


def all_bases(seed: int) -> Bases:
    """The project's fixtures, and the real images where there are some."""
    files = {f"fixtures/{name}": data for name, data in IMAGES.items()}
    folder = os.environ.get(CORPUS_VARIABLE)
    for path in sorted(Path(folder).rglob("*")) if folder else ():
        if path.is_file() and path.stat().st_size <= _LARGEST:
            files[f"corpus/{path.relative_to(folder or '')}"] = path.read_bytes()
    return Bases({name: data for name, data in files.items() if len(data) <= _LARGEST}, seed)


def _place(data: bytearray, chance: random.Random) -> int:
    """An offset: often in a header, or where a sector begins."""
    way = chance.random()
    end = max(len(data), 1)
    if way < 0.4:
        return chance.randrange(min(_HEADER, end))
    if way < 0.6:
        return min(chance.randrange(0, end, SECTOR) + chance.randrange(_HEADER), end - 1)
    return chance.randrange(end)


def _flip(data: bytearray, chance: random.Random, _: Bases) -> str:
    at = _place(data, chance)
    data[at : at + 1] = bytes([byte ^ 1 << chance.randrange(8) for byte in data[at : at + 1]])
    return f"a bit at 0x{at:x}"


def _edge(data: bytearray, chance: random.Random, _: Bases) -> str:
    at = _place(data, chance)
    value = chance.choice(_EDGES) if chance.random() < 0.5 else chance.randrange(256)
    data[at : at + 1] = bytes([value] * len(data[at : at + 1]))
    return f"0x{value:02x} at 0x{at:x}"


def _word(data: bytearray, chance: random.Random, _: Bases) -> str:
    at = _place(data, chance) & ~3
    value = chance.choice((*_WORDS, len(data), len(data) - at, chance.getrandbits(32)))
    word = (value & 0xFFFF_FFFF).to_bytes(4, "little")[: len(data) - at]
    data[at : at + len(word)] = word
    return f"word 0x{value:08x} at 0x{at:x}"


def _stretch(data: bytearray, chance: random.Random, _: Bases) -> str:
    at = _place(data, chance)
    size = min(chance.randint(2, _LONGEST), len(data) - at)
    fill = chance.choice((b"\0", b"\xff", b""))
    data[at : at + size] = fill * size if fill else chance.randbytes(size)
    return f"{size} bytes at 0x{at:x}"


def _cut(data: bytearray, chance: random.Random, _: Bases) -> str:
    end = _place(data, chance) if chance.random() < 0.3 else chance.randrange(max(len(data), 1))
    del data[end:]
    return f"cut at 0x{end:x}"


def _behead(data: bytearray, chance: random.Random, _: Bases) -> str:
    start = _place(data, chance)
    del data[:start]
    return f"without the first 0x{start:x} bytes"


def _insert(data: bytearray, chance: random.Random, _: Bases) -> str:
    at, size = _place(data, chance), chance.randint(1, _LONGEST)
    data[at:at] = chance.randbytes(size)
    return f"{size} bytes put in at 0x{at:x}"


def _delete(data: bytearray, chance: random.Random, _: Bases) -> str:
    at, size = _place(data, chance), chance.randint(1, _LONGEST)
    del data[at : at + size]
    return f"{size} bytes left out at 0x{at:x}"


def _copy(data: bytearray, chance: random.Random, _: Bases) -> str:
    source, to, size = _place(data, chance), _place(data, chance), chance.randint(1, _LONGEST)
    block = data[source : source + min(size, len(data) - to)]
    data[to : to + len(block)] = block
    return f"0x{len(block):x} bytes from 0x{source:x} at 0x{to:x}"


def _swap(data: bytearray, chance: random.Random, _: Bases) -> str:
    sectors = len(data) // SECTOR
    if not sectors:
        return "nothing"
    a, b = (chance.randrange(sectors) * SECTOR for _ in range(2))
    data[a : a + SECTOR], data[b : b + SECTOR] = data[b : b + SECTOR], data[a : a + SECTOR]
    return f"sectors 0x{a:x} and 0x{b:x} swapped"


def _splice(data: bytearray, chance: random.Random, bases: Bases) -> str:
    other = bases.other(chance)
    at = chance.randrange(0, max(len(data), 1), SECTOR) if chance.random() < 0.7 else _place(data, chance)
    block = other[: chance.choice((_HEADER, SECTOR, len(other)))]
    data[at : at + len(block)] = block
    return f"the beginning of another file at 0x{at:x}"


_DAMAGE: Final = {_flip, _edge, _word, _stretch}
_CHANGES: Final[tuple[Callable[[bytearray, random.Random, Bases], str], ...]] = (
    *(_flip,) * 4,
    *(_edge,) * 4,
    *(_word,) * 2,
    _stretch,
    _cut,
    _behead,
    _insert,
    _delete,
    _copy,
    _swap,
    _splice,
)
