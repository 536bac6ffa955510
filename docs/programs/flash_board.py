"""Flash a board as the command does, and stop before anything of the user's would be lost.

Run: python flash_board.py /dev/ttyUSB0 nodemcu.bin [--lose]
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from imgtool import (
    Event,
    FlashRequest,
    ImgtoolError,
    InputFile,
    InterruptedRunError,
    PlannedEvent,
    flash,
    open_wire,
)


class Listener:
    """Shows the plan and the progress, and refuses a plan that loses something.

    Args:
        lose: Whether it may.
    """

    def __init__(self, *, lose: bool) -> None:
        self.lose = lose
        self.stage = ""
        self.refused = False

    def __call__(self, event: Event) -> None:
        """Told of each step; of the plan before anything is touched."""
        if isinstance(event, PlannedEvent):
            self.judge(event)
        elif event.stage in ("note", "retry"):
            print(f"{event.stage}: {event.message}")
        elif event.total and event.stage != self.stage:
            self.stage = event.stage
            print(f"{event.stage}: {event.total:,} bytes")

    def judge(self, event: PlannedEvent) -> None:
        """Print the plan, and stop there if it loses something that may not be lost."""
        plan = event.result.plan
        if plan is None:
            return
        for piece in plan.pieces:
            print(f"write 0x{piece.address:06x} {len(piece.data):9,} {piece.name}")
        for kept in plan.kept:
            print(f"keep  0x{kept.start:06x} {kept.size:9,} {kept.name}: {kept.why}")
        for loss in plan.losses:
            print(f"LOSE  0x{loss.start:06x} {loss.size:9,} {loss.name}: {loss.reason}")
        for change in plan.changes:
            print(f"change: {change}")
        for finding in plan.findings:
            print(f"{finding.severity}: {finding.message}")
        if plan.losses and not self.lose:
            self.refused = True
            raise InterruptedRunError("something would be lost")


def main(port: str, image: str, *words: str) -> int:
    """Flash; the exit code is 0 if the board holds the firmware and starts it, as far as that is known."""
    lose = frozenset({"all"} if "--lose" in words else ())
    request = FlashRequest(files=(InputFile(image, Path(image).read_bytes()),), lose=lose)
    listener = Listener(lose="--lose" in words)
    try:
        with closing(open_wire(port)) as wire:
            result = flash(wire, request, listener)
    except ImgtoolError as error:  # also of a run that was stopped: it says what is on the board then
        print(f"{type(error).__name__}: {error}")
        if listener.refused:
            print("back the board up first (back_up.py); --lose goes on in spite of it")
        return 1
    print(result.words.verdict)
    if result.boot is not None:
        print(f"boot: {result.boot.sentence}")
    return result.code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
