"""A block of flash that may be written for a while: chosen, saved, put back and compared.

Not what is done with it in between (imgtool.operations.proof.observations).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.device.events import Event
from imgtool.device.flash_chip import BLOCK, FlashRegisters
from imgtool.device.flasher import KeptStatus, RomFlasher
from imgtool.device.own_stub import OwnFlasher, check_own_stub
from imgtool.device.stub import OWN, own_stub, start_stub
from imgtool.errors import ChipError, LayoutError, PortError
from imgtool.phrase import Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.device.events import Listener
    from imgtool.device.flasher import Flasher
    from imgtool.device.session import Session

__all__ = ["BLANK_BLOCK", "Scratch", "blank_block", "borrow"]

BLANK_BLOCK: Final = b"\xff" * BLOCK

_BLANK_SECTOR: Final = b"\xff" * SECTOR
_SECTORS: Final = BLOCK // SECTOR
_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True)
class Scratch:
    """A block of 64 KB that is written and put back.

    Attributes:
        address: Where it is.
        content: What it holds, and will hold again.
        around: Address and MD5 of the blocks beside it, which nobody writes.
    """

    address: int
    content: bytes
    around: tuple[tuple[int, bytes], ...]

    @property
    def blank(self) -> bool:
        """Whether nothing is in it."""
        return self.content == BLANK_BLOCK

    def changed_neighbours(self, flasher: Flasher) -> tuple[int, ...]:
        """Addresses of the blocks beside it that do not hold any more what they did."""
        return tuple(address for address, digest in self.around if flasher.digest(address, BLOCK) != digest)

    def restore(self, session: Session, flasher: Flasher, on_event: Listener) -> tuple[int, ...]:
        """Put the content back, by the stub or, where that does not do it, by the ROM loader alone.

        A stub that does not answer is started once more.

        Returns:
            Addresses of sectors that do not hold what they did.

        Raises:
            ChipError: The chip is silent.
            PortError: The port is lost.
        """
        wrong = range(self.address, self.address + BLOCK, SECTOR)
        problem: ChipError | PortError | None = None
        for _ in range(_ATTEMPTS):
            try:
                if problem is not None:
                    flasher = _started_again(session, problem, on_event)
                session.link.settle()
                left = self._put_back(flasher)
            except (ChipError, PortError) as error:
                problem = error
                continue
            if not left:
                return ()
            wrong, problem = left, ChipError("the flash does not hold what it did")
            break
        what = "" if problem is None else problem.phrase
        message = Phrase(what, "; going on with the ROM loader alone")
        on_event(Event("retry", message=message))
        session.recover(problem or ChipError("the stub does not answer"))
        return self._put_back_slowly(session, wrong, on_event)

    def _holds(self, flasher: Flasher) -> bool:
        digest = hashlib.md5(self.content, usedforsecurity=False).digest()
        return flasher.digest(self.address, BLOCK) == digest

    def _put_back(self, flasher: Flasher) -> range:
        """Write all of it; the sectors that are wrong afterwards, from the first one to the last."""
        if self._holds(flasher):
            return range(0)
        flasher.erase(self.address, BLOCK)
        if not self.blank:
            flasher.write(self.address, self.content, lambda _: None, erased=True)
        if self._holds(flasher):
            return range(0)
        sectors = [self.content[at : at + SECTOR] for at in range(0, BLOCK, SECTOR)]
        wrong = set(range(_SECTORS)) - flasher.matching(self.address, sectors) or {0, _SECTORS - 1}
        return range(self.address + min(wrong) * SECTOR, self.address + (max(wrong) + 1) * SECTOR, SECTOR)

    def _put_back_slowly(
        self, session: Session, sectors: Iterable[int], on_event: Listener
    ) -> tuple[int, ...]:
        """Sector by sector, each erased, written and read by what the ROM has; those that stay wrong."""
        registers = FlashRegisters(session.link, stub=False)
        rom = RomFlasher(session.link, registers, session.flash, KeptStatus())
        wrong: list[int] = []
        for address in sectors:
            content = self.content[address - self.address :][:SECTOR]
            on_event(Event("prove", message=f"putting back 0x{address:06x}"))
            for _ in range(_ATTEMPTS):
                rom.write(address, content, lambda _: None, erased=False)
                if registers.read(address, SECTOR) == content:
                    break
            else:
                wrong.append(address)
        return tuple(wrong)


def _started_again(session: Session, problem: ChipError | PortError, on_event: Listener) -> Flasher:
    """Reset the chip, and start the stub at the speed that it has then."""
    on_event(Event("retry", message=problem.phrase))
    session.recover(problem)
    start_stub(session.link, own_stub(), lambda _: None)
    info = check_own_stub(session.link, session.flash.id, session.flash.bytes)
    return OwnFlasher(session.link, OWN, info.ring)


def blank_block(flasher: Flasher, capacity: int) -> int:
    """The last block in which nothing is, if there is one between two others that are blank too.

    Raises:
        LayoutError: No block is blank.
    """
    blank = flasher.matching(0, [_BLANK_SECTOR] * (capacity // SECTOR))
    blocks = [
        number
        for number in range(capacity // BLOCK)
        if blank.issuperset(range(number * _SECTORS, (number + 1) * _SECTORS))
    ]
    if not blocks:
        raise LayoutError("no block of 64 KB is blank", expected="a block that may be written")
    alone = [number for number in blocks if {number - 1, number + 1} <= set(blocks)]
    return (alone or blocks)[-1] * BLOCK


def borrow(flasher: Flasher, address: int, capacity: int) -> Scratch:
    """Read a block and digest what is beside it, before it is written.

    Raises:
        ChipError: Its content and its digest disagree.
        LayoutError: It lies beyond the end of the flash.
    """
    if address + BLOCK > capacity:
        raise LayoutError(
            "the block goes beyond the end of the flash",
            expected=f"its end at or below 0x{capacity:06x}",
            found=f"0x{address + BLOCK:06x}",
        )
    digest = flasher.digest(address, BLOCK)
    blank = flasher.matching(address, [_BLANK_SECTOR] * _SECTORS)
    content = b"".join(
        _BLANK_SECTOR if number in blank else flasher.read(address + number * SECTOR, SECTOR, lambda _: None)
        for number in range(_SECTORS)
    )
    # It covers the blank sectors too, which nobody has read.
    if digest != hashlib.md5(content, usedforsecurity=False).digest():
        raise ChipError("what the stub reads does not have the digest that it gives", offset=address)
    around = tuple(
        (beside, flasher.digest(beside, BLOCK))
        for beside in (address - BLOCK, address + BLOCK)
        if 0 <= beside <= capacity - BLOCK
    )
    return Scratch(address, content, around)
