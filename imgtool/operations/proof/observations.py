"""What only a chip can tell about imgtool's own stub, observed on one.

The assumptions are in imgtool.operations.proof.assumptions.  All that is written goes to one block of the
flash, which is saved before and put back afterwards (imgtool.operations.proof.scratch), also after an error
and an interruption.
"""

from __future__ import annotations

import hashlib
import random
import struct
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.device.events import Event, Listener, ignore
from imgtool.device.flash_chip import BLOCK, FlashRegisters
from imgtool.device.identity import UART_DIVIDER, identify_chip
from imgtool.device.own_requests import ERASED, StubInfo, info_request, own_request, write_request
from imgtool.device.own_stub import OwnFlasher, ask_info, check_own_stub
from imgtool.device.protocol import (
    Command,
    RegisterWrite,
    Request,
    change_baud,
    read_register,
    write_registers,
)
from imgtool.device.session import BAUDS
from imgtool.device.stub import OWN, own_late_code, own_stub, start_stub
from imgtool.errors import ChipError, InterruptedRunError, LayoutError, LineError, PortError, VerifyError
from imgtool.operations.proof.assumptions import (
    ASSUMPTIONS,
    BLANK_RATE,
    BLOCK_S,
    DIGEST_RATE,
    FULL,
    GREETING_S,
    LINE_SHARE,
    PAGE_S,
    SECTOR_S,
    SKIPPED_S,
    Observation,
    Proof,
)
from imgtool.operations.proof.scratch import BLANK_BLOCK, Scratch, blank_block, borrow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from imgtool.device.protocol import Reply
    from imgtool.device.session import Session
    from imgtool.operations.proof.assumptions import Amounts

__all__ = ["prove_stub"]

_KNOWN_WORD: Final = 0x4000_1000  # in the ROM
_DIVIDER_BITS: Final = 0xF_FFFF
_SWITCH_US: Final = 30_000
_SETTLE: Final = 0.05
_PAGES: Final = SECTOR // 256
_DIRTY: Final = 4  # sectors of a block
_HEAD: Final = 16  # bytes of a write before its content
_PROGRAM_SEEN_US: Final = 100
_PROGRAMMED: Final = 64
_RESUMES: Final = 3
_RESTORES: Final = 3
_SEED: Final = 8266


class _HopelessError(Exception):
    """The stub does not answer any more, or cannot be trusted with the flash."""


def prove_stub(
    session: Session,
    scratch: int | None = None,
    save: Callable[[Scratch], None] = lambda _: None,
    on_event: Listener = ignore,
    amounts: Amounts = FULL,
) -> Proof:
    """Load imgtool's own stub and observe what is assumed of it.

    Args:
        session: The chip, in its loader; no stub was started by the session.
        scratch: Address of the block of 64 KB that may be written; None for one that is blank.
        save: Told what will be put back, before anything is written.
        on_event: Told what happens.
        amounts: How much is done.

    Raises:
        ChipError: The chip is silent.
        LayoutError: No block is blank, or the one that is given lies beyond the end of the flash, which is
            not known perhaps.
        PortError: The port is lost.
        VerifyError: After an error or an interruption, the block could not be put back.
    """
    return _Prover(session, on_event, amounts).run(scratch, save)


def _words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _ms(times: Sequence[float]) -> str:
    """Times as people read them: the median, and between which they lie."""
    low, high = min(times), max(times)
    spread = f" ({1000 * low:.2f} to {1000 * high:.2f})" if len(times) > 1 else ""
    return f"{1000 * median(times):.2f} ms{spread}"


class _Prover:
    """One run; what has been seen so far is kept by name."""

    def __init__(self, session: Session, on_event: Listener, amounts: Amounts) -> None:
        self._session = session
        self._link = session.link
        self._clock = session.wire.clock
        self._on_event = on_event
        self._amounts = amounts
        self._stub = own_stub()
        self._found: dict[str, Observation] = {}
        self._random = random.Random(_SEED)  # noqa: S311 - bytes that do not compress
        self._best = session.baud
        self._capacity = session.flash.bytes
        self._flasher: OwnFlasher
        self._at = 0

    def run(self, scratch: int | None, save: Callable[[Scratch], None]) -> Proof:
        block: Scratch | None = None
        try:
            by_rom, status = self._without_stub()
            self._start()
            self._step("read-by-rom", lambda: self._compare_with_rom(by_rom))
            self._step("status-registers", lambda: self._compare_status(status))
            self._step("digest-speed", self._digest)
            block = self._borrow(scratch)
            save(block)
            self._work_on(block)
        except _HopelessError:
            pass
        loaded = b"".join(data for _, data in (*self._stub.blocks, own_late_code()))
        return Proof(
            observations=tuple(
                self._found.get(name, Observation(name, words)) for name, words in ASSUMPTIONS.items()
            ),
            stub_sha256=hashlib.sha256(loaded).hexdigest(),
            stub_bytes=len(loaded),
            baud=self._best,
            scratch=None if block is None else block.address,
            restored=block is None or bool(self._found["restored"].holds),
        )

    # Observations.

    def _note(self, name: str, seen: str, *, holds: bool, times: Sequence[float] = ()) -> None:
        self._found[name] = Observation(name, ASSUMPTIONS[name], seen, holds, tuple(times))

    def _step(self, name: str, action: Callable[[], None]) -> None:
        """Observe one thing; an error of the chip is what was seen of it, and the next one is tried."""
        self._on_event(Event("prove", message=name))
        try:
            action()
        except PortError:
            raise
        except ChipError as error:
            self._note(name, str(error), holds=False)
            self._resume()

    def _resume(self) -> None:
        for _ in range(_RESUMES):
            self._link.settle()
            try:
                ask_info(self._link)
            except LineError:
                continue
            return
        raise _HopelessError

    def _timed(self, action: Callable[[], object]) -> float:
        start = self._clock.monotonic()
        action()
        return self._clock.monotonic() - start

    # The ROM loader alone: speeds, and what the stub must find too.

    def _without_stub(self) -> tuple[bytes, tuple[int, int]]:
        """Content and status registers of the flash, as the ROM loader has them."""
        registers = FlashRegisters(self._link, stub=False)
        content = registers.read(0, self._amounts.by_registers)
        status = registers.status(), registers.status_2(self._session.flash)
        if self._session.wire.traits.baud:
            for baud in BAUDS:
                if baud <= self._session.target_baud:
                    self._on_event(Event("prove", message=f"rom-speed-{baud}"))
                    self._try_speed(baud)
            if self._link.baud != self._best:
                self._switch_rom(self._best)
        return content, status

    def _try_speed(self, baud: int) -> None:
        name, count = f"rom-speed-{baud}", self._amounts.requests
        try:
            divider = self._switch_rom(baud)
            good = self._echoed(read_register(_KNOWN_WORD))
        except LineError as error:
            divider, good = 0, 0
            self._found[name] = Observation(name, ASSUMPTIONS[name], str(error), holds=False)
        else:
            seen = f"{good} of {count} requests answered, divider {divider}"
            self._note(name, seen, holds=good == count)
        if good == count:
            self._best = baud
        else:
            self._session.recover(LineError(f"not all is answered at {baud} baud"))

    def _echoed(self, request: Request) -> int:
        """How many of so many requests get the same good answer, one after the other."""
        answers: list[Reply] = []
        for _ in range(self._amounts.requests):
            try:
                answers.append(self._link.exchange(request))
            except LineError:
                self._link.settle()
        return sum(reply.ok and reply.value == answers[0].value for reply in answers)

    def _switch_rom(self, baud: int) -> int:
        """Write the divider for a speed, and follow; the divider.  As the session does it."""
        link, sleep = self._link, self._clock.sleep
        now = link.read_register(UART_DIVIDER) & _DIVIDER_BITS
        then = max(1, round(now * link.baud / baud))
        writes = (
            RegisterWrite(UART_DIVIDER, now, _DIVIDER_BITS, _SWITCH_US),
            RegisterWrite(UART_DIVIDER, then, _DIVIDER_BITS),
        )
        link.send(write_registers(writes).build())
        link.drain()
        sleep(_SWITCH_US / 2e6)
        link.set_baud(baud)
        sleep(_SWITCH_US / 1e6)
        link.forget()
        return then

    # The stub.

    def _start(self) -> None:
        """Load and start the stub; it goes on only if it says that all is well with it."""
        link = self._link

        def on_bytes(done: int) -> None:
            self._on_event(Event("upload", done, self._stub.size))

        try:
            took = start_stub(link, self._stub, on_bytes)
            self._note("stub-start", _ms([took]), holds=took <= GREETING_S, times=[took])
            info = ask_info(self._link)
            self._self_check(info)
            check_own_stub(link, self._session.flash.id, self._capacity)
            chip = identify_chip(link)
        except PortError:
            raise
        except ChipError as error:
            name = "chip" if "flash-id" in self._found else "stub-start"
            self._note(name, str(error), holds=False)
            raise _HopelessError from None
        same = chip.mac == self._session.chip.mac
        self._note("chip", f"{chip.model}, {chip.crystal_mhz} MHz", holds=same)
        self._flasher = OwnFlasher(link, OWN, info.ring)
        self._step("requests", self._count_requests)

    def _self_check(self, info: StubInfo) -> None:
        self._note("self-check-ram", "fails" if info.failures else "passes", holds=not info.failures)
        by_rom = self._session.flash.id
        seen = f"{info.flash_bytes.hex()} by the stub, {by_rom.hex()} by the ROM"
        self._note("flash-id", seen, holds=info.flash_bytes == by_rom)

    def _count_requests(self) -> None:
        good, count = self._echoed(info_request()), self._amounts.requests
        seen = f"{good} of {count} requests answered at {self._link.baud} baud"
        self._note("requests", seen, holds=good == count)

    def _compare_with_rom(self, by_rom: bytes) -> None:
        same = self._flasher.read(0, len(by_rom), lambda _: None) == by_rom
        blank = ", all of it 0xFF" if not by_rom.strip(b"\xff") else ""
        what = f"{len(by_rom):,} bytes from 0x000000 on{blank}"
        self._note("read-by-rom", f"{what}: {'the same' if same else 'others'}", holds=same)
        right = self._flasher.digest(0, len(by_rom)) == _md5(by_rom)
        self._note("digest", f"{what}: the digest is {'right' if right else 'another'}", holds=right)

    def _compare_status(self, by_rom: tuple[int, int]) -> None:
        registers = FlashRegisters(self._link, stub=True)
        now = registers.status(), registers.status_2(self._session.flash)
        bits = registers.protection(self._session.flash)
        seen = "register 1 0x{:02x}, register 2 0x{:02x}".format(*now)
        if now != by_rom:
            seen += "; by the ROM 0x{:02x}, 0x{:02x}".format(*by_rom)
        if bits:
            seen += f"; write-protected by bits 0x{bits:02x}, which imgtool does not remove here"
        self._note("status-registers", seen, holds=now == by_rom and not bits)
        if bits:
            # The stub's own writes would remove them.
            raise _HopelessError

    def _digest(self) -> None:
        size = min(self._amounts.digest, self._capacity or self._amounts.digest)
        took = self._timed(lambda: self._flasher.digest(0, size))
        self._note_rate("digest-speed", size, took, DIGEST_RATE)

    def _note_rate(self, name: str, size: int, took: float, least: float) -> None:
        rate = size / took
        seen = f"{size:,} bytes in {took:.3f} s: {rate:,.0f} a second"
        self._note(name, seen, holds=rate >= least, times=[took])

    # The block that is written.

    def _borrow(self, scratch: int | None) -> Scratch:
        self._on_event(Event("prove", message="saving the block that will be written"))
        if self._capacity is None:
            raise LayoutError("the capacity of the flash is not known", found=self._session.flash.id.hex())
        try:
            address = blank_block(self._flasher, self._capacity) if scratch is None else scratch
            return borrow(self._flasher, address, self._capacity)
        except ChipError as error:
            # What cannot be saved is not written.
            self._note("content-by-read", str(error), holds=False)
            raise _HopelessError from None

    def _work_on(self, block: Scratch) -> None:
        """Observe what is written, and put the block back, whatever happens."""
        self._at = block.address
        try:
            self._observe_writing()
            self._step("neighbours", lambda: self._compare_neighbours(block))
        except _HopelessError:
            pass
        except BaseException:
            self._put_back(block)
            if not self._found["restored"].holds:
                raise VerifyError(
                    "the block that was written could not be put back",
                    sectors=(block.address,),
                    offset=block.address,
                    expected="what it held before",
                    found=self._found["restored"].seen,
                ) from None
            raise
        self._put_back(block)

    def _compare_neighbours(self, block: Scratch) -> None:
        changed = block.changed_neighbours(self._flasher)
        names = ", ".join(f"0x{address:06x}" for address in changed or [at for at, _ in block.around])
        self._note("neighbours", f"{names}: {'changed' if changed else 'as before'}", holds=not changed)

    def _put_back(self, block: Scratch) -> None:
        """Restore; another Ctrl-C meanwhile is not obeyed before that is done."""
        for _ in range(_RESTORES):
            self._tell_restoring()
            try:
                wrong = block.restore(self._session, self._flasher, self._on_event)
            except (KeyboardInterrupt, InterruptedRunError):
                continue
            except (ChipError, PortError) as error:
                self._note("restored", str(error), holds=False)
                return
            names = ", ".join(f"0x{address:06x}" for address in wrong)
            where = f"0x{block.address:06x}, {'blank' if block.blank else 'with its content'}"
            self._note("restored", f"not the sectors at {names}" if wrong else where, holds=not wrong)
            return
        self._note("restored", "interrupted too often", holds=False)

    def _tell_restoring(self) -> None:
        try:
            self._on_event(Event("prove", message="putting the block back: please wait"))
        except (KeyboardInterrupt, InterruptedRunError):
            # So a listener ends a run; this is no moment for it.
            return

    def _observe_writing(self) -> None:
        if self._flasher.digest(self._at, BLOCK) != _md5(BLANK_BLOCK):
            self._flasher.erase(self._at, BLOCK)
        for name, action in (
            ("blank-check", self._blank_check),
            ("page-program", self._program_pages),
            ("page-of-ff", self._program_blank_page),
            ("erase-sector", self._erase_sectors),
            ("write-in-flight", self._write_in_flight),
            ("content-by-read", self._read_back),
            ("content-by-registers", self._read_by_registers),
            ("frame-wrong-crc", self._send_wrong_crc),
            ("frame-wrong-check", self._send_wrong_check),
            ("frame-again", self._send_twice),
            ("beyond-the-flash", self._ask_beyond),
            ("write-during-erase", self._write_during_erase),
            ("write-deflated", self._write_deflated),
            ("erase-block", self._erase_blocks),
            ("watchdog", self._wait_idle),
            ("change-baud", self._change_baud),
        ):
            self._step(name, action)

    def _is_blank(self, address: int, size: int) -> bool:
        return self._flasher.digest(address, size) == _md5(b"\xff" * size)

    def _erase(self, address: int, size: int) -> float:
        return self._timed(lambda: self._flasher.erase(address, size))

    def _blank_check(self) -> None:
        sectors = [b"\xff" * SECTOR] * (BLOCK // SECTOR)
        found: set[int] = set()
        took = self._timed(lambda: found.update(self._flasher.matching(self._at, sectors)))
        self._note_rate("blank-check", BLOCK, took, BLANK_RATE)
        if len(found) != len(sectors):
            self._note("blank-check", f"{len(found)} of {len(sectors)} blank sectors are known", holds=False)

    def _program_pages(self) -> None:
        """Sectors of 0x00 and of 0xFF: in frames of a few bytes each, so they differ by the flash's time."""
        self._flasher.learn_to_inflate()
        full, empty = (
            [self._timed(partial(self._write_sector, address, plain)) for address in self._sectors()]
            for plain in (bytes(SECTOR), b"\xff" * SECTOR)
        )
        base = median(empty)
        # A sector of 0xFF changes none of what is there.
        page = [(took - base) / _PAGES for took in full]
        self._note("page-program", _ms(page), holds=median(page) <= PAGE_S, times=page)
        request = info_request()
        turn = median([self._timed(lambda: self._link.request(request)) for _ in empty])
        skipped = [max(0.0, took - turn) / _PAGES for took in empty]
        self._note("page-skipped", _ms(skipped), holds=median(skipped) <= SKIPPED_S, times=skipped)

    def _sectors(self) -> range:
        return range(self._at, self._at + self._amounts.sectors * SECTOR, SECTOR)

    def _write_sector(self, address: int, plain: bytes) -> None:
        self._flasher.learn_to_inflate()
        self._link.request(write_request(address, plain, ERASED, deflated=True))

    def _program_blank_page(self) -> None:
        """In the last sector, by registers: the chip itself waits, so that the host's delays do not count."""
        registers = FlashRegisters(self._link, stub=True)
        last = self._at + BLOCK - SECTOR
        of_ff = registers.busy_after_program(last, b"\xff" * _PROGRAMMED, _PROGRAM_SEEN_US)
        of_00 = registers.busy_after_program(last + 256, bytes(_PROGRAMMED), _PROGRAM_SEEN_US)
        busy = " and ".join(
            f"{name} {'busy' if is_busy else 'done'}" for name, is_busy in (("0xFF", of_ff), ("0x00", of_00))
        )
        seen = f"{_PROGRAMMED} bytes, {_PROGRAM_SEEN_US} us later: {busy}"
        self._note("page-of-ff", seen, holds=not of_ff or of_00)

    def _erase_sectors(self) -> None:
        times = [self._erase(address, SECTOR) for address in self._sectors()]
        blank = self._is_blank(self._at, len(times) * SECTOR)
        seen = _ms(times) if blank else "not blank"
        self._note("erase-sector", seen, holds=blank and median(times) <= SECTOR_S, times=times)

    def _erase_blocks(self) -> None:
        """The first one is full, the others have something in as many sectors as make a block worth it."""
        times: list[float] = []
        for _ in range(self._amounts.blocks):
            times.append(self._erase(self._at, BLOCK))
            for address in range(self._at, self._at + _DIRTY * SECTOR, SECTOR):
                self._write_sector(address, bytes(SECTOR))
        self._flasher.erase(self._at, BLOCK)
        blank = self._is_blank(self._at, BLOCK)
        seen = _ms(times) if blank else "not blank"
        self._note("erase-block", seen, holds=blank and median(times) <= BLOCK_S, times=times)

    def _written(self, name: str, data: bytes, *, erased: bool) -> None:
        """Write, and say what the line lost and whether the flash has it."""
        if not erased:
            # Or the stub would not erase the block as a whole, as its last frame was of that block.
            self._erase(self._at, SECTOR)
        before = ask_info(self._link)
        took = self._timed(lambda: self._flasher.write(self._at, data, lambda _: None, erased=erased))
        after = ask_info(self._link)
        overruns = after.overruns - before.overruns
        right = self._flasher.digest(self._at, len(data)) == _md5(data)
        seen = (
            f"{len(data):,} bytes at {self._link.baud} baud in {took:.3f} s: {overruns} overruns,"
            f" content {'right' if right else 'wrong'}"
        )
        self._note(name, seen, holds=right and not overruns, times=[took])

    def _write_in_flight(self) -> None:
        self._flasher.erase(self._at, BLOCK)
        self._written("write-in-flight", self._random.randbytes(self._amounts.write), erased=True)

    def _write_during_erase(self) -> None:
        """Onto a block that is full: erased as a whole with the first frame, while the next ones come in."""
        data = self._random.randbytes(self._amounts.burst)
        self._written("write-during-erase", data.ljust(BLOCK, b"i"), erased=False)

    def _write_deflated(self) -> None:
        lines = b"".join(b"%d bottles on the wall\n" % number for number in range(9999))
        self._written("write-deflated", lines[: self._amounts.write], erased=False)

    def _read_back(self) -> None:
        size = min(self._amounts.read, self._amounts.write)
        content = b""

        def read() -> None:
            nonlocal content
            content = self._flasher.read(self._at, size, lambda _: None)

        took = self._timed(read)
        right = self._flasher.digest(self._at, size) == _md5(content)
        self._note(
            "content-by-read", f"{size:,} bytes, {'as the digest says' if right else 'others'}", holds=right
        )
        self._note_rate("read-speed", size, took, LINE_SHARE * self._link.baud / 10)

    def _read_by_registers(self) -> None:
        size = self._amounts.by_registers
        content = FlashRegisters(self._link, stub=True).read(self._at, size)
        right = content == self._flasher.read(self._at, size, lambda _: None)
        self._note(
            "content-by-registers", f"{size:,} bytes, {'the same' if right else 'others'}", holds=right
        )

    def _unchanged_by(self, name: str, request: Request, value: int) -> None:
        """Send what must be refused."""
        before = self._flasher.digest(self._at, BLOCK)
        reply = self._link.exchange(request)
        same = self._flasher.digest(self._at, BLOCK) == before
        taken = f"refused with 0x{reply.status[0]:02x}" if not reply.ok else "taken"
        where = f" at 0x{reply.value:06x}" if not reply.ok else ""
        seen = f"{taken}{where}, content {'as before' if same else 'changed'}"
        self._note(name, seen, holds=not reply.ok and same and reply.value == value)

    def _send_wrong_crc(self) -> None:
        good = write_request(self._at, self._random.randbytes(SECTOR))
        address, size, crc, method = struct.unpack_from("<4I", good.data)
        data = _words(address, size, crc ^ 1, method) + good.data[_HEAD:]
        self._unchanged_by("frame-wrong-crc", own_request(good.command, data), self._at)

    def _send_wrong_check(self) -> None:
        good = own_request(Command.ERASE_DIRTY, _words(self._at, SECTOR))
        self._unchanged_by(
            "frame-wrong-check", Request(good.command, good.data, good.check ^ 1 << 31), self._at
        )

    def _send_twice(self) -> None:
        plain = self._random.randbytes(256) * _PAGES
        request = write_request(self._at, plain)
        for _ in range(2):
            self._link.request(request)
        right = self._flasher.digest(self._at, SECTOR) == _md5(plain)
        self._note("frame-again", f"content {'right' if right else 'wrong'}", holds=right)

    def _ask_beyond(self) -> None:
        end = self._capacity or 0
        self._unchanged_by("beyond-the-flash", own_request(Command.ERASE_DIRTY, _words(end, SECTOR)), end)

    def _wait_idle(self) -> None:
        before = ask_info(self._link)
        self._clock.sleep(self._amounts.idle)
        same = ask_info(self._link).overruns == before.overruns
        seen = f"after {self._amounts.idle:g} s {'it answers as before' if same else 'its counts differ'}"
        self._note("watchdog", seen, holds=same)

    def _change_baud(self) -> None:
        if not self._session.wire.traits.baud:
            return
        first, count = self._link.baud, self._amounts.requests
        other = BAUDS[0] if first != BAUDS[0] else max(BAUDS[1], min(self._session.target_baud, BAUDS[-1]))
        good: list[int] = []
        for now, then in ((first, other), (other, first)):
            self._link.request(change_baud(then, now))
            self._link.set_baud(then)
            self._clock.sleep(_SETTLE)
            self._link.forget()
            good.append(self._echoed(info_request()))
        seen = f"{good[0]} of {count} requests answered at {other} baud, then {good[1]} at {first}"
        self._note("change-baud", seen, holds=good == [count, count])
