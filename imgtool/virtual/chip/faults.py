"""Faults of line, flash and power: a plan parsed from text, and what it does to a stream of bytes.

Not input or output, and not the clock: the injector says what is lost, changed or late, and its owner acts
on it.  The same plan does the same to the same bytes, however they are cut into pieces.

A plan is words joined by commas::

    drop=in:120  flip=out:55.3  duplicate=in:9  insert=in:10:c0  delay=out:100:250ms  gone=in:5000:2s
    lose-reply=3  garbage=16  cut=sector:3:0.5  slow=page:7  skip=sector:2  worn=0x3000.4  protect  id=ef4016
    seed=42  seed=42:5

``in`` is from the host to the chip, ``out`` from the chip to the host.  Bytes count from 0 since the device
was made, over all connections, as they were before any fault.  Frames and operations count from 1.  In place
of a byte of the line can stand one of a packet (imgtool.virtual.chip.packets): ``flip=in:mem-data:1+25.2``.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from imgtool.errors import FormatError
from imgtool.virtual.chip.nor import Disturbance
from imgtool.virtual.chip.packets import COMMAND_BY_NAME, FIRST_OFFSET, PacketPlace, PacketPlaces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from imgtool.virtual.chip.nor import Operation

__all__ = [
    "Cut",
    "Delay",
    "Drop",
    "Duplicate",
    "Fault",
    "FaultInjector",
    "FaultPlan",
    "Flip",
    "Garbage",
    "Gone",
    "Insert",
    "LinePause",
    "LoseReply",
    "Piece",
    "Protect",
    "Seed",
    "Skip",
    "Slow",
    "Unplugged",
    "Worn",
    "WrongId",
    "parse_plan",
]

BytePlace = int | PacketPlace
"""Which byte of a direction: of the line, or of a packet."""

_END: Final = 0xC0  # SLIP
_REQUEST: Final = 0  # what packets to the chip begin with
_REPLY: Final = 1  # and packets from it
_MOST_GARBAGE: Final = 0x1000
_MOST_DRAWN: Final = 1000


@dataclass(frozen=True, slots=True)
class Drop:
    """``drop=in:120``: a byte is lost."""

    direction: str
    offset: BytePlace

    def __str__(self) -> str:
        return f"drop={self.direction}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Flip:
    """``flip=out:55.3``: one bit of a byte is inverted."""

    direction: str
    offset: BytePlace
    bit: int

    def __str__(self) -> str:
        return f"flip={self.direction}:{self.offset}.{self.bit}"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``duplicate=in:9``: a byte comes twice."""

    direction: str
    offset: BytePlace

    def __str__(self) -> str:
        return f"duplicate={self.direction}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Insert:
    """``insert=in:10:c0``: bytes come before a byte that nobody sent."""

    direction: str
    offset: BytePlace
    data: bytes

    def __str__(self) -> str:
        return f"insert={self.direction}:{self.offset}:{self.data.hex()}"


@dataclass(frozen=True, slots=True)
class Delay:
    """``delay=out:100:250ms``: a byte and all behind it come ``ns`` later."""

    direction: str
    offset: BytePlace
    ns: int

    def __str__(self) -> str:
        return f"delay={self.direction}:{self.offset}:{_time_text(self.ns)}"


@dataclass(frozen=True, slots=True)
class Gone:
    """``gone=in:5000:2s``: before that byte the port vanishes, for ``ns``."""

    direction: str
    offset: BytePlace
    ns: int

    def __str__(self) -> str:
        return f"gone={self.direction}:{self.offset}:{_time_text(self.ns)}"


@dataclass(frozen=True, slots=True)
class LoseReply:
    """``lose-reply=3``: the third SLIP frame of the chip is not sent."""

    number: int

    def __str__(self) -> str:
        return f"lose-reply={self.number}"


@dataclass(frozen=True, slots=True)
class Garbage:
    """``garbage=16``: so many bytes of noise come before the first SLIP frame of the chip.

    That frame is its first answer to a SYNC.
    """

    count: int

    def __str__(self) -> str:
        return f"garbage={self.count}"


@dataclass(frozen=True, slots=True)
class Cut:
    """``cut=sector:3:0.5``: the power is lost in the third sector erase, half done."""

    kind: str
    number: int
    fraction: float

    def __str__(self) -> str:
        return f"cut={self.kind}:{self.number}:{self.fraction!r}"


@dataclass(frozen=True, slots=True)
class Slow:
    """``slow=page:7``: the seventh page program takes its maximum time."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"slow={self.kind}:{self.number}"


@dataclass(frozen=True, slots=True)
class Skip:
    """``skip=sector:2``: the second sector erase takes its time and changes nothing."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"skip={self.kind}:{self.number}"


@dataclass(frozen=True, slots=True)
class Worn:
    """``worn=0x3000.4``: erases leave that bit of that byte of the flash at 0."""

    address: int
    bit: int

    def __str__(self) -> str:
        return f"worn=0x{self.address:x}.{self.bit}"


@dataclass(frozen=True, slots=True)
class Protect:
    """``protect``: the block protection bits of the flash are set."""

    def __str__(self) -> str:
        return "protect"


@dataclass(frozen=True, slots=True)
class WrongId:
    """``id=ef4016``: the flash answers RDID with these three bytes."""

    id: bytes

    def __str__(self) -> str:
        return f"id={self.id.hex()}"


@dataclass(frozen=True, slots=True)
class Seed:
    """``seed=42``: noise is drawn from this seed; ``seed=42:5``: five faults are, too."""

    seed: int
    count: int = 0

    def __str__(self) -> str:
        return f"seed={self.seed}:{self.count}" if self.count else f"seed={self.seed}"


Fault = (
    Drop
    | Flip
    | Duplicate
    | Insert
    | Delay
    | Gone
    | LoseReply
    | Garbage
    | Cut
    | Skip
    | Slow
    | Worn
    | Protect
    | WrongId
    | Seed
)
_OnLine = Drop | Flip | Duplicate | Insert | Delay | Gone

_UNITS: Final = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1))


def _time_text(ns: int) -> str:
    unit, size = next((unit, size) for unit, size in _UNITS if ns % size == 0)
    return f"{ns // size}{unit}"


def _time(text: str) -> int:
    unit = text.lstrip("0123456789")
    return int(text.removesuffix(unit)) * dict(_UNITS)[unit]


def _number(text: str) -> int:
    return int(text, 16) if text[:2] in {"0x", "0X"} else int(text)


def _place(text: str) -> BytePlace:
    packet, plus, offset = text.rpartition("+")
    if not plus:
        return _number(offset)
    command, _, number = packet.partition(":")
    return PacketPlace(COMMAND_BY_NAME[command], int(number), _number(offset))


class _FaultRow(NamedTuple):
    """How one word is written: its name, what stands behind it, an example, and how to make it."""

    name: str
    pattern: str
    example: str
    make: Callable[[re.Match[str]], Fault]


_DIGITS: Final = "(?:0[xX][0-9a-fA-F]+|[0-9]+)"
_N: Final = f"({_DIGITS})"
_PACKET: Final = rf"(?:{'|'.join(COMMAND_BY_NAME)}):0*[1-9][0-9]*\+"
_PLACE: Final = rf"(in|out):((?:{_PACKET})?{_DIGITS})"
_KIND: Final = r"(page|sector|block32|block64|chip)"
_COUNT: Final = r"0*([1-9][0-9]*)"
_TIME: Final = r"([0-9]+(?:s|ms|us|ns))"
_BYTES: Final = r"((?:[0-9a-fA-F]{2})+)"
_FRACTION: Final = r"((?:0|1)(?:\.[0-9]+)?|[0-9.]+[eE]-[0-9]+)"

_ROWS: Final = (
    _FaultRow("drop", _PLACE, "drop=in:120", lambda m: Drop(m[1], _place(m[2]))),
    _FaultRow("flip", rf"{_PLACE}\.([0-7])", "flip=out:55.3", lambda m: Flip(m[1], _place(m[2]), int(m[3]))),
    _FaultRow("duplicate", _PLACE, "duplicate=in:9", lambda m: Duplicate(m[1], _place(m[2]))),
    _FaultRow(
        "insert",
        f"{_PLACE}:{_BYTES}",
        "insert=in:10:c0",
        lambda m: Insert(m[1], _place(m[2]), bytes.fromhex(m[3])),
    ),
    _FaultRow(
        "delay", f"{_PLACE}:{_TIME}", "delay=out:100:250ms", lambda m: Delay(m[1], _place(m[2]), _time(m[3]))
    ),
    _FaultRow(
        "gone", f"{_PLACE}:{_TIME}", "gone=in:5000:2s", lambda m: Gone(m[1], _place(m[2]), _time(m[3]))
    ),
    _FaultRow("lose-reply", _COUNT, "lose-reply=3", lambda m: LoseReply(int(m[1]))),
    _FaultRow("garbage", _COUNT, "garbage=16", lambda m: Garbage(int(m[1]))),
    _FaultRow(
        "cut",
        f"{_KIND}:{_COUNT}:{_FRACTION}",
        "cut=sector:3:0.5",
        lambda m: Cut(m[1], int(m[2]), float(m[3])),
    ),
    _FaultRow("slow", f"{_KIND}:{_COUNT}", "slow=page:7", lambda m: Slow(m[1], int(m[2]))),
    _FaultRow("skip", f"{_KIND}:{_COUNT}", "skip=sector:2", lambda m: Skip(m[1], int(m[2]))),
    _FaultRow("worn", rf"{_N}\.([0-7])", "worn=0x3000.4", lambda m: Worn(_number(m[1]), int(m[2]))),
    _FaultRow("protect", "", "protect", lambda _: Protect()),
    _FaultRow("id", "([0-9a-fA-F]{6})", "id=ef4016", lambda m: WrongId(bytes.fromhex(m[1]))),
    _FaultRow("seed", "([0-9]+)(?::([0-9]+))?", "seed=42:5", lambda m: Seed(int(m[1]), int(m[2] or 0))),
)
_ROW_BY_NAME: Final = {row.name: row for row in _ROWS}


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The faults that are asked for, in the order of the text.

    Attributes:
        faults: One for each word.
    """

    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return ",".join(map(str, self.faults))

    @property
    def expanded(self) -> tuple[Fault, ...]:
        """The faults with those that a seed draws in its place."""
        return tuple(
            fault
            for asked in self.faults
            for fault in (_drawn(asked) if isinstance(asked, Seed) else (asked,))
        )

    @property
    def protect(self) -> bool:
        """Whether the flash is write-protected at first."""
        return any(isinstance(fault, Protect) for fault in self.faults)

    @property
    def jedec_id(self) -> bytes | None:
        """The three bytes that the flash has for an ID, or None for its own."""
        return next((fault.id for fault in self.faults if isinstance(fault, WrongId)), None)

    @property
    def seed(self) -> int:
        """What noise is drawn from."""
        return next((fault.seed for fault in self.faults if isinstance(fault, Seed)), 0)


def parse_plan(text: str) -> FaultPlan:
    """The plan of a text; an empty one has no faults.

    Raises:
        FormatError: A word is no fault, or has not its form.
    """
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    return FaultPlan(tuple(_parse_word(word) for word in words))


def _parse_word(word: str) -> Fault:
    name, equals, value = word.partition("=")
    row = _ROW_BY_NAME.get(name)
    if row is None:
        raise FormatError(
            f"there is no fault {name or 'without a name'}", expected=", ".join(_ROW_BY_NAME), found=word
        )
    match = re.fullmatch(row.pattern, value)
    if match is None or bool(equals) is not bool(row.pattern):
        raise _refusal(row, word)
    fault = row.make(match)
    place = fault.offset if isinstance(fault, _OnLine) else 0
    if isinstance(place, PacketPlace) and place.offset < FIRST_OFFSET:
        raise FormatError(
            f"the fault {name} comes before it shows which packet it is",
            expected=f"byte {FIRST_OFFSET} of a packet or a later one",
            found=word,
        )
    limits = {Cut: ("fraction", 1), Garbage: ("count", _MOST_GARBAGE), Seed: ("count", _MOST_DRAWN)}
    if type(fault) in limits:
        field, most = limits[type(fault)]
        if getattr(fault, field) > most:
            raise FormatError(
                f"the {field} of the fault {name} is too large", expected=f"at most {most}", found=word
            )
    return fault


def _refusal(row: _FaultRow, word: str) -> FormatError:
    return FormatError(f"the fault {row.name} is not written so", expected=f"as in {row.example}", found=word)


# What a seed draws from: the length of a short session in either direction.
_SPAN: Final = {"in": 0x4000, "out": 0x800}
_REPLIES: Final = 40
_PAGES: Final = 200
_LONGEST_DELAY: Final = 500  # ms


def _drawn(seed: Seed) -> tuple[Fault, ...]:
    """Faults of the line and slow pages; nothing that a client cannot get over by trying again."""
    source = random.Random(seed.seed)  # noqa: S311 - a repeatable draw, no secret
    return tuple(_draw(source) for _ in range(seed.count))


def _draw(source: random.Random) -> Fault:
    direction = source.choice(("in", "out"))
    offset = source.randrange(_SPAN[direction])
    choices: tuple[Fault, ...] = (
        Drop(direction, offset),
        Flip(direction, offset, source.randrange(8)),
        Duplicate(direction, offset),
        Insert(direction, offset, source.randbytes(1)),
        Delay(direction, offset, source.randrange(1, _LONGEST_DELAY) * 1_000_000),
        LoseReply(source.randrange(1, _REPLIES)),
        Slow("page", source.randrange(1, _PAGES)),
    )
    return source.choice(choices)


@dataclass(frozen=True, slots=True)
class LinePause:
    """What follows comes so many nanoseconds later."""

    ns: int


@dataclass(frozen=True, slots=True)
class Unplugged:
    """The port is gone now, and back after so many nanoseconds; what falls in between is lost."""

    ns: int


Piece = bytes | LinePause | Unplugged
"""A stretch of a stream, or what happens between two of them."""


class _Line:
    """The faults of one direction; ``first`` is what its packets begin with."""

    def __init__(self, faults: Iterable[_OnLine], first: int) -> None:
        self._faults: defaultdict[int, list[_OnLine]] = defaultdict(list)
        in_packets: list[tuple[PacketPlace, _OnLine]] = []
        for fault in faults:
            if isinstance(fault.offset, PacketPlace):
                in_packets.append((fault.offset, fault))
            else:
                self._faults[fault.offset].append(fault)
        self._packets = PacketPlaces(first, in_packets)
        self._offsets = sorted(self._faults)
        self._position = 0

    def connect(self) -> None:
        """A new connection: a packet that was under way is over."""
        self._packets.connect()

    def _due(self, data: bytes, start: int, end: int) -> list[tuple[int, list[_OnLine]]]:
        """The faults of these bytes, by their places in order."""
        counted = self._offsets[bisect_left(self._offsets, start) : bisect_left(self._offsets, end)]
        due = {offset: self._faults[offset] for offset in counted}
        for offset, faults in self._packets.pass_on(data, start).items():
            due[offset] = due.get(offset, []) + faults
        return sorted(due.items(), key=lambda item: item[0])

    def pass_on(self, data: bytes) -> list[Piece]:
        start, end = self._position, self._position + len(data)
        self._position = end
        pieces: list[Piece] = []
        clean = bytearray()
        done = start
        for offset, faults in self._due(data, start, end):
            clean += data[done - start : offset - start]
            done = offset + 1
            byte = data[offset - start]
            times = 1
            for fault in faults:
                match fault:
                    case Delay() | Gone():
                        if clean:
                            pieces.append(bytes(clean))
                            clean = bytearray()
                        pieces.append(
                            LinePause(fault.ns) if isinstance(fault, Delay) else Unplugged(fault.ns)
                        )
                    case Insert():
                        clean += fault.data
                    case Flip():
                        byte ^= 1 << fault.bit
                    case Duplicate():
                        times += 1
                    case Drop():
                        times = -len(faults)
            clean += bytes([byte]) * times
        clean += data[done - start :]
        if clean:
            pieces.append(bytes(clean))
        return pieces


class FaultInjector:
    """A plan at work: it keeps count of bytes, frames and operations.

    Args:
        plan: The faults.
    """

    def __init__(self, plan: FaultPlan) -> None:
        faults = plan.expanded
        self.plan = plan
        self._in = _Line(_on_line(faults, "in"), _REQUEST)
        self._out = _Line(_on_line(faults, "out"), _REPLY)
        self._lost = {fault.number for fault in faults if isinstance(fault, LoseReply)}
        count = sum(fault.count for fault in faults if isinstance(fault, Garbage))
        self._garbage = random.Random(plan.seed).randbytes(count)  # noqa: S311 - repeatable noise, no secret
        self._frames = 0
        self._in_frame = False
        self._slow = {(fault.kind, fault.number) for fault in faults if isinstance(fault, Slow)}
        self._skipped = {(fault.kind, fault.number) for fault in faults if isinstance(fault, Skip)}
        self._cuts = {
            (fault.kind, fault.number): fault.fraction for fault in faults if isinstance(fault, Cut)
        }
        self._worn = [(fault.address, fault.bit) for fault in faults if isinstance(fault, Worn)]

    def incoming(self, data: bytes) -> list[Piece]:
        """What reaches the chip of what the host has sent, in order."""
        return self._in.pass_on(data)

    def outgoing(self, data: bytes) -> list[Piece]:
        """What reaches the host of what the chip has sent, in order.

        Frames are found by their SLIP delimiters, so a stub that sends byte by byte loses whole frames too.
        """
        if not self._lost and not self._garbage:
            return self._out.pass_on(data)
        pieces: list[Piece] = []
        start = 0
        while (mark := data.find(_END, start)) >= 0:
            if self._in_frame:
                self._send(data[start : mark + 1], pieces)
                self._in_frame = False
            else:
                self._send(data[start:mark], pieces)
                self._frames += 1
                self._in_frame = True
                if self._garbage:
                    pieces.append(self._garbage)
                    self._garbage = b""
                self._send(data[mark : mark + 1], pieces)
            start = mark + 1
        self._send(data[start:], pieces)
        return _joined(pieces)

    def _send(self, data: bytes, pieces: list[Piece]) -> None:
        lost = self._in_frame and self._frames in self._lost
        # Lost bytes count as well, and a port that vanishes does so in a lost frame too.
        pieces += [piece for piece in self._out.pass_on(data) if not (lost and isinstance(piece, bytes))]

    def connect(self) -> None:
        """A new connection: a frame that was under way is over."""
        self._in_frame = False
        self._in.connect()
        self._out.connect()

    def disturb(self, operation: Operation) -> Disturbance | None:
        """What goes wrong with an operation of the flash; None for nothing."""
        place = operation.kind, operation.number
        slow, cut, skipped = place in self._slow, self._cuts.get(place), place in self._skipped
        region = range(operation.address, operation.address + operation.size)
        stuck = tuple(cell for cell in self._worn if cell[0] in region) if operation.kind != "page" else ()
        disturbance = Disturbance(slow, cut, stuck, skipped)
        return None if disturbance == Disturbance() else disturbance


def _on_line(faults: Iterable[Fault], direction: str) -> list[_OnLine]:
    return [fault for fault in faults if isinstance(fault, _OnLine) and fault.direction == direction]


def _joined(pieces: list[Piece]) -> list[Piece]:
    """The same with neighbouring bytes in one piece."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined
