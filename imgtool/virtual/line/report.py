"""What a virtual chip has done, as a document for programs; the fields are in docs/virtual/report.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgtool.virtual.chip.ledger import COLUMNS, HOST_FIXED_NS

if TYPE_CHECKING:
    from imgtool.virtual.cpu.core import Trap
    from imgtool.virtual.line.link import VirtualLine

__all__ = ["report"]


def report(link: VirtualLine) -> dict[str, Any]:
    """The counts and modelled times of a chip since it was made."""
    chip = link.chip
    chip.book_output()
    boot = chip.last_boot
    return {
        "schema": 1,
        "chip": chip.facts(),
        "activity": chip.activity.value,
        "modelled": "seconds by the fixed constants of docs/virtual/timing.md; none was measured on a chip",
        "modelled_seconds": [
            {
                "latency_ms": column.latency_ms,
                "flash": column.flash,
                "blank_pages": column.blank_pages,
                "digest": column.digest,
                "seconds": round(seconds, 6),
            }
            for column, seconds in zip(COLUMNS, chip.ledger.seconds(), strict=True)
        ],
        "host_fixed_seconds": HOST_FIXED_NS / 1e9,
        "bytes": {"to_chip": link.to_chip.size, "from_chip": link.from_chip.size},
        "frames": {"to_chip": link.to_chip.frames, "from_chip": link.from_chip.frames},
        "flash": {**chip.flash.counts, "blank_pages": chip.blank_pages},
        "resets": dict(chip.resets),
        "receive_overflows": chip.uart.overflows,
        "instructions": chip.core.instructions,
        "boot": None if boot is None else {"outcome": str(boot.outcome), "reason": boot.reason},
        "violations": [violation._asdict() for violation in chip.flash.violations],
        "ignored": [violation._asdict() for violation in chip.flash.ignored],
        "traps": [_trap(trap) for trap in chip.traps],
    }


def _trap(trap: Trap) -> dict[str, Any]:
    return {
        "cause": trap.cause,
        "pc": trap.pc,
        "address": trap.address,
        "registers": list(trap.registers),
    }
