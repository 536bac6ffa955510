"""imgtool's own stub as the host sees it: how it is met, and a flasher over it.

Not the stub (imgtool/device/firmware), not its loading (imgtool.device.stub), and not its requests as bytes
(imgtool.device.own_requests).
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.device import protocol
from imgtool.device.flash_chip import BLOCK
from imgtool.device.flasher import StubFlasher
from imgtool.device.own_requests import (
    ANSWER,
    ERASED,
    FRAME,
    WHOLE_BLOCK,
    info_of,
    info_request,
    own_request,
    reads_of,
    rows_of,
    words_of,
    write_request,
)
from imgtool.device.protocol import Command
from imgtool.device.stub import own_late_code
from imgtool.errors import ChipError, LineError, RefusedError, StubError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from imgtool.device.link import Link
    from imgtool.device.own_requests import StubInfo, StubRead
    from imgtool.device.protocol import Reply, Request

__all__ = ["PROVEN_ON_SILICON", "OwnFlasher", "ask_info", "check_own_stub", "runs_own_stub"]

PROVEN_ON_SILICON: Final = False
"""Whether this stub has been seen to work on a chip; then it comes first where nothing else is asked for.

The evidence so far is the virtual chip alone.  docs/stub.md says what has to be seen, and how to file it.
"""

_MAGIC: Final = 0x32474D49  # "IMG2"
_RAM: Final = 1  # of its failures

_EASY: Final = 0x8000  # of a block: so far the stub has made up for the time of its erase
_WINDOW: Final = 0x8000
_MOST_DIGESTS: Final = 256
_READS: Final = 4  # under way: the line is busy while a request is on its way
_SHORT_READS: Final = 16  # under way
_WORD_READS: Final = 64  # under way: a small part of the ring
_MD5: Final = 16
_BLANK: Final = b"\xff" * SECTOR
_ATTEMPTS: Final = 5
_ACQUAINTANCE: Final = 0.5  # seconds for the answer of a stub that may be another one
_MOST_WAITING: Final = 60  # writes under way: one that is lost makes all of them come again
_SLOWEST_FRAME: Final = 1.0  # seconds for two sectors, by the longest times of data sheets
_WORTH_INFLATING: Final = 0x3000  # bytes: with more of them, deflate saves more than the code for it takes
_SLOW_LINE: Final = 460_800  # baud: up to here three frames of two sectors take longer than an erase
# Codes that are no work of the line: beyond the flash, not done by the flash, not to be unlocked.
_MEANT: Final = (0xC2, 0xC4, 0xC5)
_HEADERS: Final = 64  # bytes of a frame on the line beside its data and what SLIP adds


def _check_refusal(request: Request, reply: Reply) -> None:
    """Raise what the stub means when it refuses, with the address that it gives; what the line did, not."""
    if reply.status[0] in _MEANT:
        raise RefusedError(
            f"the chip refuses {request.command.name}: {protocol.reason_of(reply)}",
            offset=reply.value,
            status=reply.status,
        )


def ask_info(link: Link, *, timeout: float = ANSWER) -> StubInfo:
    """What the stub says of itself.

    Raises:
        ChipError: It does not say it.
        PortError: The port is lost.
    """
    return info_of(link.request(info_request(timeout=timeout)))


def check_own_stub(link: Link, flash_id: bytes, flash_bytes: int | None) -> StubInfo:
    """Ask the stub for its self-check, and tell it where the flash ends.

    Args:
        link: The line to it.
        flash_id: The flash's ID, as it was read through the ROM loader.
        flash_bytes: The capacity; None if that is not known.

    Raises:
        ChipError: It does not pass.
        PortError: The port is lost.
    """
    told = () if flash_bytes is None else (own_request(Command.SETUP, words_of(0, flash_bytes)),)
    info = info_of(link.request_all((info_request(), *told))[0])
    if info.magic != _MAGIC:
        raise StubError(
            "the flasher stub is another one", expected=f"0x{_MAGIC:08x}", found=f"0x{info.magic:08x}"
        )
    if info.failures:
        what = "its RAM" if info.failures == _RAM else f"0x{info.failures:x}"
        raise StubError(f"the flasher stub does not pass its self-check: {what}")
    if info.flash_bytes != flash_id:
        raise StubError(
            "the flasher stub sees another flash than the ROM does",
            expected=flash_id.hex(),
            found=info.flash_bytes.hex(),
        )
    return info


def runs_own_stub(link: Link) -> bool:
    """Whether the stub that was met is imgtool's own; another refuses the question, or does not answer it.

    Raises:
        PortError: The port is lost.
    """
    try:
        return ask_info(link, timeout=_ACQUAINTANCE).magic == _MAGIC
    except ChipError:
        return False


def _load_late_code(link: Link) -> None:
    """Load what the stub inflates with, and what others need of it.

    Raises:
        LineError: It comes broken every time.
    """
    address, code = own_late_code()
    requests = [protocol.mem_begin(address, len(code))]
    for number, start in enumerate(range(0, len(code), protocol.MEMORY_PACKET)):
        packet = code[start : start + protocol.MEMORY_PACKET]
        requests.append(protocol.data_packet(Command.MEM_DATA, packet, number))
    requests.append(own_request(Command.SETUP, words_of(zlib.crc32(code), 0)))
    for _ in range(_ATTEMPTS):
        for request in requests:
            link.send(request.build())
        with suppress(LineError):
            replies = [link.reply_to(request) for request in requests]
            if all(reply.ok for reply in replies):
                return
        link.settle()
    raise LineError("the stub's code comes broken every time")


@dataclass(frozen=True, slots=True)
class _Frame:
    """A write of a sector or two.

    Attributes:
        address: Of its first byte.
        plain: What is to be there.
        erased: Whether it is known to be erased.
        end: Bytes of the whole write that are done with it.
        deflated: Whether it may be compressed.
        request: As it is sent among others.
    """

    address: int
    plain: bytes
    erased: bool
    end: int
    deflated: bool
    request: Request

    @property
    def size(self) -> int:
        """Bytes that it takes in the ring, at most: as SLIP sends it."""
        body = self.request.data
        return len(body) + body.count(b"\xc0") + body.count(b"\xdb") + _HEADERS

    def alone(self) -> Request:
        """As it is sent again: it needs no other frame, and does not erase others, which may be written."""
        return write_request(self.address, self.plain, ERASED if self.erased else 0, deflated=self.deflated)


class OwnFlasher(StubFlasher):
    """Works through imgtool's own stub.

    Args:
        link: The line to it.
        name: What to call it.
        ring: Bytes that may be under way to it.
    """

    reads_at_once = True
    ahead = _WORD_READS

    def __init__(self, link: Link, name: str, ring: int) -> None:
        super().__init__(link, name)
        self._ring = ring
        self._plain = 0  # bytes that were to be written so far
        self._inflates = False

    def erase(self, address: int, size: int) -> None:
        """Erase what is not blank of these sectors, in blocks of 64 KB where that is quicker."""
        timeout = protocol.erase_region(address, size).timeout
        words = words_of(address, size)
        self._link.request(own_request(Command.ERASE_DIRTY, words, timeout=timeout, attempts=2))

    def matching(self, address: int, contents: Sequence[bytes]) -> set[int]:
        """Which sectors hold what they should: blank ones by a bitmap, others by the digest of each."""
        blank = {index for index, content in enumerate(contents) if content == _BLANK}
        part = {index for index, content in enumerate(contents) if len(content) < SECTOR}
        found: set[int] = set()
        for first, end in _runs(blank):
            found |= self._blanks(address, range(first, end))
        for first, end in _runs(set(range(len(contents))) - blank - part):
            sums = self._sums(address + first * SECTOR, end - first)
            wanted = (hashlib.md5(content, usedforsecurity=False).digest() for content in contents[first:end])
            found |= {
                first + index
                for index, pair in enumerate(zip(sums, wanted, strict=True))
                if pair[0] == pair[1]
            }
        for index in part:
            found |= {index for _ in super().matching(address + index * SECTOR, [contents[index]])}
        return found

    def _blanks(self, address: int, numbers: range) -> set[int]:
        """Which of these sectors are blank."""
        count = len(numbers)
        words = words_of(address + numbers.start * SECTOR, count * SECTOR)
        timeout = protocol.md5(0, count * SECTOR).timeout
        request = own_request(Command.BLANK, words, timeout=timeout, answer=-(-count // 8))
        bits = int.from_bytes(self._link.request(request).data, "little")
        return {numbers[index] for index in range(count) if bits >> index & 1}

    def _sums(self, address: int, sectors: int) -> list[bytes]:
        found: list[bytes] = []
        for first in range(0, sectors, _MOST_DIGESTS):
            count = min(_MOST_DIGESTS, sectors - first)
            words = words_of(address + first * SECTOR, count * SECTOR)
            timeout = protocol.md5(0, count * SECTOR).timeout
            request = own_request(Command.DIGESTS, words, timeout=timeout, answer=_MD5 * count)
            data = self._link.request(request).data
            found += [data[at : at + _MD5] for at in range(0, len(data), _MD5)]
        return found

    # Writing: several frames under way.

    def write(self, address: int, data: bytes, on_bytes: Callable[[int], None], *, erased: bool) -> None:
        """Erase and write whole sectors; a frame that comes broken is sent again, alone.

        Raises:
            LineError: A frame comes broken every time.
            RefusedError: The flash does not do what it is told.
        """
        self._plain += len(data)
        if self._plain > _WORTH_INFLATING:
            self.learn_to_inflate()
        waiting: deque[_Frame] = deque()
        erases = not erased and self._waits_for_erases(address, len(data))
        most = FRAME if erases and self._link.baud > _SLOW_LINE else 2 * FRAME
        order = _order(address, len(data), most, erases=erases)
        for frame in _frames(address, data, order, erased=erased, deflated=self._inflates):
            while waiting and not self._has_room(waiting, frame):
                self._finish(waiting, on_bytes)
            self._link.send(frame.request.build())
            waiting.append(frame)
        while waiting:
            self._finish(waiting, on_bytes)

    def _waits_for_erases(self, address: int, size: int) -> bool:
        """Whether a write has erases to wait for.

        A flash whose last sector is blank is probably blank before that, too.
        """
        last = (size - 1) // SECTOR
        return size < 2 * BLOCK or not self._blanks(address, range(last, last + 1))

    def learn_to_inflate(self) -> None:
        """Load what the stub inflates with, if that has not been done.

        Raises:
            LineError: It comes broken every time.
        """
        if not self._inflates:
            _load_late_code(self._link)
            self._inflates = True

    def _has_room(self, waiting: deque[_Frame], frame: _Frame) -> bool:
        return len(waiting) < _MOST_WAITING and sum(other.size for other in (*waiting, frame)) <= self._ring

    def _finish(self, waiting: deque[_Frame], on_bytes: Callable[[int], None]) -> None:
        """Wait for the answer to the first frame; if it is not good, send all that wait again, one by one."""
        frame = waiting[0]
        if self._answer(frame.request, frame.address) is not None:
            waiting.popleft()
            on_bytes(frame.end)
            return
        self._wait_until_done(len(waiting))
        while waiting:
            frame = waiting.popleft()
            self._insist(frame.alone(), frame.address, "a frame comes broken every time")
            on_bytes(frame.end)

    def _answer(self, request: Request, address: int) -> Reply | None:
        """The answer to a request that is under way; None if it is not good, or that to another one."""
        try:
            reply = self._link.reply_to(request)
        except LineError:
            return None
        return reply if reply.ok and reply.value == address else None

    def _wait_until_done(self, requests: int) -> None:
        """Pass over the answers to requests that are under way: the one to this comes after them."""
        ask_info(self._link, timeout=ANSWER + requests * _SLOWEST_FRAME)

    def _insist(self, request: Request, address: int, problem: str) -> Reply:
        """The answer to a request that is sent alone, and again where it does not come or comes broken."""
        for _ in range(_ATTEMPTS):
            try:
                reply = self._link.exchange(request)
            except LineError:
                self._link.settle()
                continue
            if reply.ok and reply.value == address:
                return reply
            _check_refusal(request, reply)
        raise LineError(problem, offset=address)

    # Reading: several blocks under way, each with a CRC.

    def read(self, address: int, size: int, on_bytes: Callable[[int], None]) -> bytes:
        """Flash content; blocks that come broken are asked for again.

        Raises:
            LineError: A block comes broken every time.
            RefusedError: It goes beyond the end of the flash.
        """
        content = bytearray()
        for block in self._blocks(reads_of(address, size), _READS):
            content += block
            on_bytes(len(content))
        return bytes(content)

    def read_each(self, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
        """Short stretches of flash content, of a sector at most; one request for those equally far apart.

        Raises:
            LineError: One comes broken every time.
            RefusedError: One goes beyond the end of the flash.
        """
        rows = rows_of(stretches)
        found: dict[tuple[int, int], bytes] = {}
        for row, content in zip(rows, self._blocks(rows, _SHORT_READS), strict=True):
            for number in range(row.pieces):
                stretch = (row.address + number * row.step, row.size)
                found[stretch] = content[number * row.size :][: row.size]
        return [found[stretch] for stretch in stretches]

    def _blocks(self, asked_for: Iterable[StubRead], most: int) -> Iterator[bytes]:
        """Flash content in the order in which it is asked for, with so many requests under way."""
        waiting: deque[StubRead] = deque()
        for asked in asked_for:
            if len(waiting) == most:
                yield from self._take(waiting)
            self._link.send(asked.request().build())
            waiting.append(asked)
        while waiting:
            yield from self._take(waiting)

    def _take(self, waiting: deque[StubRead]) -> Iterator[bytes]:
        """The first block that waits; if it does not come whole, all of them, asked for one by one."""
        first = waiting[0]
        reply = self._answer(first.request(), first.start)
        if reply is not None:
            waiting.popleft()
            yield first.part_of(reply)
            return
        self._wait_until_done(len(waiting))
        while waiting:
            asked = waiting.popleft()
            problem = "the flash content comes broken every time"
            yield asked.part_of(self._insist(asked.request(), asked.start, problem))


def _frames(
    address: int, data: bytes, order: Iterable[tuple[int, int]], *, erased: bool, deflated: bool
) -> Iterator[_Frame]:
    """Frames from where to where in the data, one or more sectors each."""
    done = 0
    starts: dict[int, int] = {}  # of what is written by then, by its end
    for start, end in order:
        at = address + start
        plain = data[start:end]
        block = at // BLOCK * BLOCK
        whole = block >= address and block + BLOCK <= address + len(data)
        flags = ERASED if erased else WHOLE_BLOCK if whole else 0
        # What is in the flash right before it, from this very write.
        before = start
        while before in starts and before > start - _WINDOW:
            before = starts[before]
        history = data[max(before, start - _WINDOW) : start]
        starts[end] = start
        done += len(plain)
        request = write_request(at, plain, flags, history, deflated=deflated)
        yield _Frame(at, plain, erased, done, deflated, request)


def _order(address: int, size: int, most: int, *, erases: bool) -> list[tuple[int, int]]:
    """Where frames of so many bytes at most begin and end, in the order in which they are sent.

    The first of a block begins its erase. It is a short one, so that more of the next are under way
    meanwhile. Sectors behind the last whole block are erased one by one. Where that takes longer than the
    line does, they are spread among those blocks, of which the line takes longer than the flash. There they
    cannot refer to what comes before them, so on a slow line they stay behind.
    """

    def pieces(first: int, end: int, most: int = most) -> list[tuple[int, int]]:
        return [(at, min(at + most, end)) for at in range(first, end, most)]

    head = min(size, -address % BLOCK)
    blocks = (size - head) // BLOCK
    order = pieces(0, head)
    tail = pieces(head + blocks * BLOCK, size, FRAME if erases else most)
    spread = blocks and erases and most == FRAME
    short = FRAME if erases else 0
    for number in range(blocks):
        first = head + number * BLOCK
        order += pieces(first, first + short)
        order += pieces(first + short, first + _EASY)
        if spread:
            order += tail[len(tail) * number // blocks : len(tail) * (number + 1) // blocks]
        order += pieces(first + _EASY, first + BLOCK, 2 * FRAME)
    if not spread:
        order += tail
    # Nothing goes on beside what is done for the last one: it is a short one.
    start, end = order[-1]
    if end - start > FRAME:
        order[-1:] = [(start, end - FRAME), (end - FRAME, end)]
    return order


def _runs(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Numbers in a row: the first, and the one behind the last."""
    first = None
    for number in sorted(numbers):
        if first is None:
            first = number
        if number + 1 not in numbers:
            yield first, number + 1
            first = None
