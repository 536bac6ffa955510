"""What the framework Sming says.

Its exceptions are read in :mod:`imgtool.formats.logs`.  Not rBoot, which starts it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

__all__ = ["ROWS"]

_SMING: Final = "https://github.com/SmingHub/Sming/tree/develop/Sming/Arch/Esp8266"

_sming = partial(Message, speaker=Speaker.SMING, source=_SMING)

ROWS: Final = (
    _sming(
        name="sming-table",
        marks="system_partition_table_regist failed",
        form=r"\bsystem_partition_table_regist: failed\b",
        example="system_partition_table_regist: failed",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FLASH_SIZE,
            "Sming stops: the flash size in the header does not fit what it was built for.",
            "Line {line} says '{text}'. The lines behind it have the map of the header and the partitions.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure(
                    "Build for that size (SPI_SIZE), and write boot loader and application with it in the "
                    "header.",
                    actions.flash(FileRole.FIRMWARE, size=Unknown.SIZE),
                ),
            ),
        ),
        versions="4.2 and later",
    ),
    _sming(
        name="sming-table-details",
        marks="size_map|partition",
        form=r"\bsize_map = \d{1,2}|^\s{0,4}partition\[\d{1,2}\]: .{1,60}",
        example="size_map = 4",
        weight=Weight.NORMAL,
        says="the map of the header, and the partitions",
        after_loading=True,
    ),
    _sming(
        name="sming-stack",
        marks="stack dump|decode stack",
        form=r"^\s{0,4}Stack dump:\s{0,4}$|\bTo decode the stack dump call from command line",
        example="Stack dump:",
        weight=Weight.NORMAL,
        says="the stack of a crash follows",
        after_loading=True,
    ),
    Message(
        name="sming-mount",
        speaker=Speaker.ANY,
        source=_SMING,
        marks="mount res",
        form=r"^\s{0,4}mount res: -\d{1,6}\s{0,4}$",
        example="mount res: -10025",
        weight=Weight.NOTED,
        says=Remark(
            "Line {line} says '{text}': a file system cannot be used; -10025 is one that was never made."
        ),
        after_loading=True,
    ),
    _sming(
        name="sming-rom",
        marks="currently running rom|enter instructions",
        form=r"\bCurrently running rom \d{1,2}\.|\bType 'help' and press enter for instructions",
        example="Currently running rom 0.",
        weight=Weight.RUNS,
        says="the example Basic_rBoot runs",
        source="https://github.com/SmingHub/Sming/issues/253",
    ),
)
