"""Bring pieces into the flash of a device: what is there already is left alone, what was written is verified.

The device's own content is the reference: which sectors have to be erased and written is found out by
digests that the device makes.  Not the choice of what goes where (imgtool.operations.flashing.plan), and not
the commands of the chip (imgtool.device).
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from imgtool.chip import SECTOR
from imgtool.device.events import Event, Listener, ignore
from imgtool.device.flash_chip import BLOCK
from imgtool.errors import ChipError, LayoutError, PortError, ProtectedError, RefusedError, VerifyError
from imgtool.operations.assemble.pieces import Piece
from imgtool.quantities import in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from imgtool.device.flasher import Flasher
    from imgtool.device.session import Session

__all__ = [
    "Job",
    "Mismatch",
    "Transfer",
    "compared",
    "erase",
    "erase_chip",
    "estimate",
    "is_blank",
    "read_each",
    "read_flash",
    "read_memory",
    "transfer",
    "verify",
]

_T = TypeVar("_T")

_ERASED: Final = b"\xff" * SECTOR
_WORD: Final = 4  # bytes; a stub reads flash by words
_AT_A_TIME: Final = 0x100  # bytes of memory: an answer that is lost costs all of them again
_SECTORS_OF_BLOCK: Final = BLOCK // SECTOR
_SAMPLES: Final = 4
_BLANK_SAMPLES: Final = 3
_RECOVERIES: Final = 4
_ROUNDS: Final = 3
_LARGEST_DIGEST: Final = 0x10_0000
_HOPELESS: Final = 2  # stretches without one equal sector, after which no more are looked into
_SHORT_GAP: Final = 2  # blank sectors that are written along rather than erased apart
_WORTH_A_BLOCK: Final = 4  # blank sectors among data for which a block is erased first
_MOSTLY_DATA: Final = 6  # data sectors in a block from which the blank ones are written along
_MOST_OF_IT: Final = 0.75
_SHOWN: Final = 16
_READS_BACK_WRONG: Final = bytes.fromhex("0108")  # the ROM's status

# For estimates; the typical times of data sheets, and the digest's speed that docs/virtual/timing.md names.
_PAGE_S, _SECTOR_S, _BLOCK_S, _DIGEST_RATE = 0.0007, 0.045, 0.15, 650_000
_TURN_S: Final = 0.002
_CHIP_S: Final = 2.5  # an erase of the chip, for each megabyte: a guess, boards took 0.2 to 12 times as long
_MEGABYTE: Final = 1 << 20
_STUB_BYTES: Final = 12_400
_START_S: Final = 0.3
_DEFLATED: Final = 0.7
_PAGES_OF_SECTOR: Final = 16
_ROM_OVERHEAD: Final = 1.05
_REGISTER_BYTES: Final = 40  # of line for four of flash, read by registers and twice


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be brought into the flash.

    Attributes:
        pieces: The bytes; each begins at a sector.  What is missing in a last sector is 0xFF.
        erase_all: Whether everything else is to be erased.
        diff: Whether sectors that hold the right bytes already are left alone.
        unprotect: Whether a write protection of the flash may be removed.
        verify: ``auto`` (where the device can digest), ``readback`` (also where it has to be read), ``none``.
        right: Numbers of the sectors that hold the right bytes, where :func:`compared` has found that out.
    """

    pieces: tuple[Piece, ...]
    erase_all: bool = False
    diff: bool = True
    unprotect: bool = False
    verify: str = "auto"
    right: frozenset[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What was done.

    Attributes:
        written: Bytes of the sectors that were written.
        erased: Bytes of the sectors that were only erased.
        unchanged: Bytes of the sectors that were right already.
        verified: ``digest``, ``readback`` or ``no``.
        retries: How often something was done again.
        sha256: Digest of the pieces with their addresses, lower-case hex.
        seconds: By the clock of the line, from the first byte to the last check.
        stub: What was worked through.
        baud: The speed at the end.
    """

    written: int
    erased: int
    unchanged: int
    verified: str
    retries: int
    sha256: str
    seconds: float
    stub: str
    baud: int


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A sector that differs.

    Attributes:
        address: Flash address of the first byte that differs; of the sector, where it cannot be read.
        expected: Some bytes from there on.
        found: The bytes in the flash.
    """

    address: int
    expected: bytes
    found: bytes


def digest_of(pieces: Iterable[Piece]) -> str:
    """SHA-256 over addresses and bytes, lower-case hex: what a board was given, as one name."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.address.to_bytes(4, "little"))
        digest.update(piece.data)
    return digest.hexdigest()


class _Sectors:
    """What each sector is to hold: number of the sector to its bytes."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.wanted: dict[int, bytes] = {}
        for piece in pieces:
            if piece.address % SECTOR:
                raise LayoutError(
                    "a piece begins inside a sector",
                    source=piece.name,
                    offset=piece.address,
                    expected=f"a multiple of 0x{SECTOR:x}",
                    found=f"0x{piece.address:x}",
                )
            for start in range(0, len(piece.data), SECTOR):
                number = (piece.address + start) // SECTOR
                if number in self.wanted:
                    raise LayoutError("two pieces share a sector", source=piece.name, offset=number * SECTOR)
                data = piece.data[start : start + SECTOR]
                # What lies behind the piece in its last sector is not compared, but written as 0xFF.
                self.wanted[number] = data.ljust(-(-len(data) // _WORD) * _WORD, b"\xff")
        self.blank = {number for number, data in self.wanted.items() if data == _ERASED[: len(data)]}
        self.todo = set(self.wanted)

    def contents(self, first: int, count: int) -> list[bytes]:
        """What each of a stretch of sectors is to hold; the last one may not be given to its end."""
        whole = [self.wanted[number].ljust(SECTOR, b"\xff") for number in range(first, first + count - 1)]
        return [*whole, self.wanted[first + count - 1]]


def _stretches(numbers: Iterable[int], most: int = 1 << 30) -> Iterator[tuple[int, int]]:
    """Sectors in a row: first one and count, of ``most`` sectors at most."""
    first = count = 0
    for number in sorted(numbers):
        if count and number == first + count and count < most:
            count += 1
        else:
            if count:
                yield first, count
            first, count = number, 1
    if count:
        yield first, count


@dataclass
class _TransferRun:
    """A transfer under way."""

    session: Session
    job: Job
    on_event: Listener
    sectors: _Sectors
    written: set[int] = field(default_factory=set)
    erased: set[int] = field(default_factory=set)
    retries: int = 0
    chip_erased: bool = False

    @property
    def flasher(self) -> Flasher:
        return self.session.flasher

    def persist(self, step: Callable[[], _T]) -> _T:
        """Do a step, and do it again after the connection was made anew."""
        for attempt in itertools.count():
            try:
                return step()
            except ProtectedError:
                raise
            except RefusedError as error:
                # What the chip means it says again; a disturbed request it does not.
                self._recover(error, attempt, most=2)
            except (ChipError, PortError) as error:
                self._recover(error, attempt, most=_RECOVERIES)
        raise AssertionError("the count has no end")

    def _recover(self, error: ChipError | PortError, attempt: int, most: int) -> None:
        if attempt >= most:
            if (
                isinstance(error, RefusedError)
                and error.status == _READS_BACK_WRONG
                and error.offset is not None
            ):
                raise VerifyError(
                    "the ROM loader reads back something else than it wrote",
                    sectors=(error.offset // SECTOR * SECTOR,),
                    cause="the flash is worn, or its supply is weak",
                    offset=error.offset,
                ) from error
            raise error
        self.retries += 1
        self.on_event(Event("retry", message=error.phrase))
        self.session.recover(error)

    def check_protection(self) -> None:
        """See that the flash lets itself be written, before anything is tried."""
        self.persist(lambda: self.session.check_protection(remove=self.job.unprotect))

    # Which sectors have to be written.

    def compare(self) -> None:
        """Take the sectors that are right already off the list, where a sample says that it pays."""
        if not self.flasher.digests:
            return
        sectors = self.sectors
        for kind, most in (
            (sectors.todo - sectors.blank, _SAMPLES),
            (sectors.todo & sectors.blank, _BLANK_SAMPLES),
        ):
            right = [number for number in _spread(sorted(kind), most) if self._equal_in(number, 1)]
            sectors.todo.difference_update(right)
            if right:
                self._compare_all(kind & sectors.todo)

    def _compare_all(self, numbers: set[int]) -> None:
        total, done, hopeless = len(numbers) * SECTOR, 0, 0
        for first, count in _aligned(numbers):
            if hopeless == _HOPELESS:
                break
            equal = self._equal_in(first, count)
            hopeless = 0 if equal else hopeless + 1
            self.sectors.todo.difference_update(equal)
            done += count * SECTOR
            self.on_event(Event("compare", done, total))

    def _equal_in(self, first: int, count: int) -> set[int]:
        """The sectors of a stretch that are right."""
        contents = self.sectors.contents(first, count)
        return {first + index for index in self.flasher.matching(first * SECTOR, contents)}

    # Erasing and writing.

    def erase_whole(self) -> None:
        """Erase all of the flash; what is to be blank is then done."""
        if self.chip_erased:
            return
        self.on_event(Event("erase", 0, 0))
        self.flasher.erase_chip()
        self.chip_erased = True
        blank = self.sectors.todo & self.sectors.blank
        self.erased |= blank
        self.sectors.todo -= blank

    def covers_flash(self) -> bool:
        """Whether nearly all sectors of the flash have to be erased and none must be kept.

        A chip erase is then the safer choice.  It takes as long as the blocks do where those are quick: a
        W25Q128JW was measured with 38.7 s and 39.1 s, says U-Boot's history.  It takes less where they are
        slow: 50 s and 64 s for 4 MB, by data sheets.
        """
        size = self.session.flash.bytes
        if size is None:
            return False
        kept = set(range(size // SECTOR)) - self.sectors.todo - self.sectors.blank
        return not kept and len(self.sectors.todo) >= _MOST_OF_IT * size // SECTOR

    def write(self) -> None:
        """Erase and write what is on the list."""
        sectors = self.sectors
        erase, prepare, data = _divide(sectors.todo, sectors.blank)
        if self.chip_erased:
            prepare = set()
        total = len(data) * SECTOR
        done = 0
        for first, count in _stretches(prepare):
            self.flasher.erase(first * SECTOR, count * SECTOR)
        for first, count in _stretches(data):
            before = done

            def progress(size: int, before: int = before) -> None:
                self.on_event(Event("write", before + size, total))

            members = set(range(first, first + count))
            content = b"".join(sectors.contents(first, count)).ljust(count * SECTOR, b"\xff")
            erased = self.chip_erased or members <= prepare
            self.flasher.write(first * SECTOR, content, progress, erased=erased)
            done += count * SECTOR
            self._finish(members)
        self._finish(erase & prepare)
        left = erase - prepare
        total, done = len(left) * SECTOR, 0
        for first, count in _stretches(left, _SECTORS_OF_BLOCK * 4):
            self.flasher.erase(first * SECTOR, count * SECTOR)
            self._finish(set(range(first, first + count)))
            done += count * SECTOR
            self.on_event(Event("erase", done, total))

    def _finish(self, numbers: set[int]) -> None:
        self.sectors.todo -= numbers
        blank = numbers & self.sectors.blank
        self.erased |= blank
        self.written |= numbers - blank

    # Verifying.

    def wrong(self, numbers: set[int]) -> set[int]:
        """The sectors of these that do not hold what they should."""
        total, done = len(numbers) * SECTOR, 0
        most = _LARGEST_DIGEST // SECTOR if self.flasher.digests else 1
        bad: set[int] = set()
        for first, count in _stretches(numbers, most):
            bad |= set(range(first, first + count)) - self._equal_in(first, count)
            done += count * SECTOR
            self.on_event(Event("verify", done, total))
        return bad


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    """Some of these, from the first to the last."""
    if len(numbers) <= most:
        return list(numbers)
    return [numbers[round(index * (len(numbers) - 1) / (most - 1))] for index in range(most)]


def _aligned(numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Stretches that are digested at a time: more where there are many, cut at block boundaries."""
    most = _SECTORS_OF_BLOCK * max(1, min(4, len(numbers) // (16 * _SECTORS_OF_BLOCK)))
    for first, count in _stretches(numbers):
        at = first
        while at < first + count:
            step = min(most - at % most, first + count - at)
            yield at, step
            at += step


def _divide(todo: set[int], blank: set[int]) -> tuple[set[int], set[int], set[int]]:
    """What is only erased, what is erased in blocks before it is written, and what is written.

    A block of which many sectors are to be blank is erased as a whole first: that takes as long as three of
    its sectors.  A blank sector or two between data is written along, which saves an exchange.
    """
    erase, data = todo & blank, todo - blank
    prepare, along = set[int](), set[int]()
    for block in {number // _SECTORS_OF_BLOCK for number in data}:
        members = set(range(block * _SECTORS_OF_BLOCK, (block + 1) * _SECTORS_OF_BLOCK))
        if not members <= todo or len(members & blank) < _WORTH_A_BLOCK:
            continue
        if len(members & data) >= _MOSTLY_DATA and (block + 1) * _SECTORS_OF_BLOCK in data:
            # On the line they are next to nothing, and the stub erases the block while others come in.
            along |= members & blank
        else:
            prepare |= members
    data |= along
    erase -= along
    for one, two in itertools.pairwise(sorted(data)):
        gap = set(range(one + 1, two))
        if len(gap) <= _SHORT_GAP and gap <= erase - prepare:
            data |= gap
            erase -= gap
    return erase, prepare, data


def transfer(session: Session, job: Job, on_event: Listener = ignore) -> Transfer:
    """Bring pieces into the flash.

    After an error on the line the connection is made anew, and what is there decides what is left to do.

    Args:
        session: The device.
        job: What.
        on_event: Told what happens.

    Raises:
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
        VerifyError: The flash does not hold what was written.
        LayoutError: A piece begins inside a sector, or two share one.
    """
    clock = session.wire.clock
    start = clock.monotonic()
    run = _TransferRun(session, job, on_event, _Sectors(job.pieces))
    sectors = run.sectors
    all_sectors = set(sectors.wanted)
    run.check_protection()
    if job.erase_all:
        run.persist(run.erase_whole)
    elif job.diff and job.right is not None:
        sectors.todo -= job.right
    elif job.diff:
        run.persist(run.compare)
    touched = set(sectors.todo) | run.erased
    if not run.chip_erased and run.covers_flash():
        run.persist(run.erase_whole)
    _write_all(run)
    verified = _verify(run, touched)
    return Transfer(
        written=len(run.written) * SECTOR,
        erased=len(run.erased) * SECTOR,
        unchanged=len(all_sectors - run.written - run.erased) * SECTOR,
        verified=verified,
        retries=run.retries,
        sha256=digest_of(job.pieces),
        seconds=clock.monotonic() - start,
        stub=run.flasher.name,
        baud=session.baud,
    )


def compared(
    session: Session, pieces: tuple[Piece, ...], on_event: Listener = ignore
) -> frozenset[int] | None:
    """Which sectors hold already what they should: their numbers; None where the device cannot digest.

    Args:
        session: The device.
        pieces: What it should hold.
        on_event: Told what happens.

    Raises:
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
    """
    run = _TransferRun(session, Job(pieces), on_event, _Sectors(pieces))
    if not run.persist(lambda: run.flasher.digests):
        return None
    run.persist(run.compare)
    return frozenset(set(run.sectors.wanted) - run.sectors.todo)


def _write_all(run: _TransferRun) -> None:
    """Write until nothing is left; what a broken write has done is found out by comparing."""
    before = run.retries

    def step() -> None:
        if run.retries > before:
            # Sectors that a broken write has touched are no longer blank.
            run.chip_erased = False
            if run.flasher.digests:
                run.compare()
        run.write()

    run.persist(step)


def _verify(run: _TransferRun, touched: set[int]) -> str:
    """Verify the sectors that were touched, and write again what is wrong; says how."""
    digests = run.persist(lambda: run.flasher.digests)
    if run.job.verify == "none" or (run.job.verify == "auto" and not digests):
        return "no"
    way = "digest" if digests else "readback"
    bad = set[int]()
    for attempt in range(_ROUNDS):
        # All of it each time: where a flash is smaller than it says, a repair here is damage there.
        bad = run.persist(partial(run.wrong, touched))
        if not bad:
            return way
        if attempt + 1 < _ROUNDS:
            run.retries += 1
            run.on_event(Event("retry", message=f"{in_bytes(len(bad) * SECTOR)} read back differently"))
            run.sectors.todo |= bad
            run.chip_erased = False
            _write_all(run)
    raise _verify_error(run, bad)


def _verify_error(run: _TransferRun, bad: set[int]) -> VerifyError:
    """What differs, and what it may come from."""
    mismatch = _mismatch(run.session, min(bad), run.sectors.wanted[min(bad)])
    addresses = tuple(number * SECTOR for number in sorted(bad))
    return VerifyError(
        f"the flash reads back differently in {len(bad)} sector{'s' if len(bad) > 1 else ''}",
        sectors=addresses,
        cause=_cause(mismatch),
        offset=mismatch.address,
        expected=mismatch.expected.hex(" "),
        found=mismatch.found.hex(" ") or "nothing that could be read",
    )


def _cause(mismatch: Mismatch) -> str:
    if not mismatch.found:
        return "the flash cannot be read"
    pairs = list(zip(mismatch.expected, mismatch.found, strict=True))
    if not mismatch.found.strip(b"\xff"):
        return "the flash takes no data there: it is write-protected, or the supply voltage breaks down"
    if any(wanted & ~found for wanted, found in pairs):
        return "bits that should be 1 are 0: the sector does not erase; it is worn or write-protected"
    return "bits that should be 0 are 1: the flash does not program; it is worn, or its supply is weak"


def _mismatch(session: Session, number: int, wanted: bytes) -> Mismatch:
    """Where a sector that is known to differ does so first."""
    try:
        found = session.flasher.read(number * SECTOR, SECTOR, lambda _: None)
    except ChipError:
        found = b""
    at = next((i for i, (one, two) in enumerate(zip(wanted, found, strict=False)) if one != two), 0)
    return Mismatch(number * SECTOR + at, wanted[at : at + _SHOWN], found[at : at + _SHOWN])


def verify(session: Session, pieces: Sequence[Piece], on_event: Listener = ignore) -> tuple[Mismatch, ...]:
    """Compare the flash with pieces, to the byte; empty if it holds them.

    Args:
        session: The device.
        pieces: At any address.
        on_event: Told what happens.

    Raises:
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
    """
    found: list[Mismatch] = []
    run = _TransferRun(session, Job(()), on_event, _Sectors(()))
    for piece in pieces:

        def check(piece: Piece = piece) -> None:
            found.extend(_differences(session, piece, on_event))

        run.persist(check)
    return tuple(found)


def _differences(session: Session, piece: Piece, on_event: Listener) -> list[Mismatch]:
    """The sectors in which a piece differs."""
    flasher, found = session.flasher, []
    pending = [
        (start, min(start + _LARGEST_DIGEST, len(piece.data)))
        for start in range(0, len(piece.data), _LARGEST_DIGEST)
    ][::-1]
    while pending:
        start, end = pending.pop()
        wanted = piece.data[start:end]
        address = piece.address + start
        if flasher.digests:
            digest = hashlib.md5(wanted, usedforsecurity=False).digest()
            same = flasher.digest(address, end - start) == digest
        else:
            same = end - start <= SECTOR and flasher.read(address, end - start, lambda _: None) == wanted
        if same:
            on_event(Event("verify", end, len(piece.data)))
        elif end - start > SECTOR:
            step = -(-(end - start) // 4 // SECTOR) * SECTOR or SECTOR
            pending += [(at, min(at + step, end)) for at in range(start, end, step)][::-1]
        else:
            content = flasher.read(address, end - start, lambda _: None)
            at = next(i for i, (one, two) in enumerate(zip(wanted, content, strict=True)) if one != two)
            found.append(Mismatch(address + at, wanted[at : at + _SHOWN], content[at : at + _SHOWN]))
            on_event(Event("verify", end, len(piece.data)))
    return found


def erase(session: Session, start: int, size: int, on_event: Listener = ignore) -> None:
    """Erase whole sectors and no others.

    Raises:
        LayoutError: The region does not begin and end at a sector.
        ChipError: The chip is silent, or the flash does not erase.
        PortError: The port is lost and does not come back.
    """
    if start % SECTOR or size % SECTOR or size <= 0:
        low, high = start // SECTOR * SECTOR, -(-(start + size) // SECTOR) * SECTOR
        raise LayoutError(
            "only whole sectors can be erased",
            offset=start,
            expected=f"multiples of 0x{SECTOR:x}, such as 0x{low:x} and 0x{max(high - low, SECTOR):x}",
            found=f"0x{start:x} and 0x{size:x}",
        )
    run = _TransferRun(session, Job(()), on_event, _Sectors(()))
    run.check_protection()

    def step() -> None:
        for at in range(start, start + size, _LARGEST_DIGEST):
            count = min(_LARGEST_DIGEST, start + size - at)
            session.flasher.erase(at, count)
            on_event(Event("erase", at + count - start, size))

    run.persist(step)
    _check_erased(run, start, size)


def _check_erased(run: _TransferRun, start: int, size: int) -> None:
    """The device's word that a region is blank, where it can digest."""
    if not run.flasher.digests:
        return
    erased = Piece(start, b"\xff" * size, "erased flash")
    bad: list[Mismatch] = []

    def check() -> None:
        bad[:] = _differences(run.session, erased, ignore)

    run.persist(check)
    if bad:
        count = len(bad)
        raise VerifyError(
            f"the flash is not blank after it was erased, in {count} sector{'s' if count > 1 else ''}",
            sectors=tuple(mismatch.address // SECTOR * SECTOR for mismatch in bad),
            cause=_cause(bad[0]),
            offset=bad[0].address,
            expected=bad[0].expected.hex(" "),
            found=bad[0].found.hex(" "),
        )


def erase_chip(session: Session, on_event: Listener = ignore) -> None:
    """Erase the whole flash.

    Raises:
        ChipError: The chip is silent, or the flash does not erase.
        PortError: The port is lost and does not come back.
        VerifyError: It is not blank afterwards.
    """
    run = _TransferRun(session, Job((), erase_all=True), on_event, _Sectors(()))
    run.check_protection()
    run.persist(run.erase_whole)
    size = session.flash.bytes
    if size is not None:
        _check_erased(run, 0, size)


def read_flash(
    session: Session, start: int, size: int, on_event: Listener = ignore, *, stage: str = "read"
) -> bytes:
    """Flash content.

    Args:
        session: The device.
        start: Flash address.
        size: Bytes.
        on_event: Told what happens.
        stage: What to call it.

    Raises:
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
    """
    content = bytearray()
    run = _TransferRun(session, Job(()), on_event, _Sectors(()))

    def step() -> None:
        while len(content) < size:
            before = len(content)
            count = min(BLOCK, size - before)

            def progress(done: int, before: int = before) -> None:
                on_event(Event(stage, before + done, size))

            content.extend(session.flasher.read(start + before, count, progress))

    run.persist(step)
    return bytes(content)


def is_blank(session: Session, start: int, size: int) -> bool:
    """Whether a stretch of the flash is erased, by the digest that the device makes of it.

    Raises:
        ChipError: The chip is silent, or cannot digest.
        PortError: The port is lost and does not come back.
    """
    run = _TransferRun(session, Job(()), ignore, _Sectors(()))
    erased = hashlib.md5(b"\xff" * size, usedforsecurity=False).digest()
    return run.persist(lambda: session.flasher.digest(start, size)) == erased


def read_memory(
    session: Session, start: int, size: int, on_event: Listener = ignore, *, stage: str = "read"
) -> bytes:
    """Memory of the chip, word by word; nothing checks that the line does not change one.

    Args:
        session: The device.
        start: Its address: that of a word.
        size: Bytes; whole words.
        on_event: Told what happens.
        stage: What to call it.

    Raises:
        ChipError: The chip is silent, or refuses.
        PortError: The port is lost and does not come back.
    """
    content = bytearray()
    run = _TransferRun(session, Job(()), on_event, _Sectors(()))

    def step() -> None:
        # The flasher first: to start it changes the speed.
        ahead = session.flasher.ahead
        while len(content) < size:
            count = min(_AT_A_TIME, size - len(content))
            places = range(start + len(content), start + len(content) + count, _WORD)
            for word in session.link.read_registers(places, ahead):
                content.extend(word.to_bytes(_WORD, "little"))
            on_event(Event(stage, len(content), size))

    run.persist(step)
    return bytes(content)


def read_each(session: Session, stretches: Sequence[tuple[int, int]]) -> list[bytes]:
    """Short stretches of flash content.

    Args:
        session: The device.
        stretches: Address and bytes of each, a sector at most.

    Raises:
        ChipError: The chip is silent, or the content comes broken every time.
        PortError: The port is lost and does not come back.
    """
    run = _TransferRun(session, Job(()), ignore, _Sectors(()))
    return run.persist(lambda: session.flasher.read_each(stretches))


def estimate(job: Job, session: Session, *, stub: bool) -> float:
    """Seconds that a transfer will take if no sector is right yet; by typical times, modelled.

    With an erase of the whole flash it is no better than that erase is known: within 0.2 to 12 times
    (docs/virtual/timing.md).

    Args:
        job: What.
        session: The device.
        stub: Whether a stub will be there.
    """
    sectors = _Sectors(job.pieces)
    sectors.todo -= job.right or frozenset()
    baud = session.target_baud
    data = len(sectors.todo - sectors.blank)
    blank = 0 if job.erase_all else len(sectors.todo & sectors.blank)
    before = 0.0 if not job.erase_all else (session.flash.bytes or 0) / _MEGABYTE * _CHIP_S
    line = data * SECTOR * 10 / baud
    flash = data * _PAGES_OF_SECTOR * _PAGE_S + (data + blank) / _SECTORS_OF_BLOCK * _BLOCK_S
    if stub:
        written = max(line * _DEFLATED, data * (_PAGES_OF_SECTOR * _PAGE_S + _BLOCK_S / _SECTORS_OF_BLOCK))
        digests = (data + blank) * SECTOR / _DIGEST_RATE
        start = _START_S + _STUB_BYTES * 10 / baud
        return start + before + written + blank / _SECTORS_OF_BLOCK * _BLOCK_S + digests
    seconds = before + line * _ROM_OVERHEAD + flash + data * 4 * _TURN_S
    if job.verify == "readback":
        seconds += (data + blank) * SECTOR / 4 * (_REGISTER_BYTES * 2 * 10 / baud + 2 * _TURN_S)
    return seconds
