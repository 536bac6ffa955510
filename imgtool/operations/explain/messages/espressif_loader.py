"""What Espressif's boot loaders 1.1 to 1.7 say.

Their version, the map of the header and the slot are read in :mod:`imgtool.formats.logs`; which slot fails,
and why, is judged by :mod:`imgtool.operations.explain.boot_verdicts`.  Not the boot loader of the RTOS SDK 3.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, PlacedFile, Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

__all__ = ["ROWS"]

_BINARIES: Final = "https://github.com/espressif/ESP8266_NONOS_SDK/tree/master/bin"
_SLOT: Final = LogOutcome(Verdict.NO_IMAGE, "The boot loader cannot start its slot.", "")

_loader = partial(Message, speaker=Speaker.ESPRESSIF_LOADER, source=_BINARIES, after_loading=True)

ROWS: Final = (
    _loader(
        name="version",
        example="2nd boot version : 1.7(5d6f877)",
        weight=Weight.NORMAL,
        says="the boot loader begins",
        after_loading=False,
    ),
    _loader(
        name="jump",
        example="jump to run user1 @ 1000",
        weight=Weight.NORMAL,
        says="the boot loader starts a slot",
    ),
    # Which of these is a failure depends on what comes behind them: boot_verdicts.no_slot.
    _loader(
        name="error-magic",
        marks="error magic",
        form=r"\berror magic ?!",
        example="error magic!",
        weight=Weight.NORMAL,
        says="no image begins in the slot; a failure where no other slot is started",
        versions="1.3 and later",
    ),
    _loader(
        name="first-failed",
        marks="backup boot reboot",
        form=r"\bfirst boot failed, reboot to try backup bin",
        example="first boot failed, reboot to try backup bin",
        weight=Weight.NORMAL,
        says="the slot fails its check, and the other one is tried",
        versions="1.3 to 1.6",
    ),
    _loader(
        name="boot-retry",
        marks="boot failed reboot",
        form=(
            r"\b(?:first|backup) boot failed,? ?[0-9a-f]{1,8}, reboot to try (?:[0-9a-f]{1,8}, )?(?:this|"
            r"\w{1,8} backup) bin(?: again)?"
        ),
        example="first boot failed 1000, reboot to try this bin again",
        weight=Weight.NORMAL,
        says="the slot fails its check, and is tried once more",
        versions="1.7",
    ),
    _loader(
        name="backup-failed",
        marks="backup boot failed",
        form=r"\bbackup boot failed\b(?!,? ?[0-9a-f]{1,8}, reboot)",
        example="backup boot failed.",
        weight=Weight.FAILS,
        says=_SLOT,
        until_runs=True,
        versions="1.3 and later",
    ),
    _loader(
        name="flash-addr",
        marks="flash_addr",
        form=r"\bget flash_addr error ?!",
        example="get flash_addr error!",
        weight=Weight.FAILS,
        says=_SLOT,
        until_runs=True,
        versions="1.1 and 1.2",
    ),
    _loader(
        name="loader-map",
        marks="flash map not support",
        form=r"\bflash map not support",
        example="SPI Flash Size & Map: flash map not support",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FLASH_SIZE,
            "The boot loader does not know the flash size in its header.",
            "Line {line} says '{text}': the size code in the header of the boot loader has no map.",
            (
                cure(
                    "Write the boot loader and the application again, with the size of the chip in the "
                    "header.",
                    actions.ask_chip(),
                    actions.flash(
                        PlacedFile(FileRole.BOOT_LOADER, 0),
                        PlacedFile(FileRole.SLOT_1, 0x1000),
                        size=Unknown.SIZE,
                    ),
                ),
            ),
        ),
        until_runs=True,
        versions="1.7",
    ),
    _loader(
        name="user-flag",
        marks="error user bin flag",
        form=r"\berror user bin flag(?:, flag)? = [0-9a-f]{1,8}\b",
        example="error user bin flag, flag = 3",
        weight=Weight.NOTED,
        says=Remark(
            "The last sector of the flash does not say which slot is the one to start: it is damaged, or "
            "of another firmware. Blank it, and the boot loader takes user1.",
            (actions.erase(Area.SYSTEM_PARAM),),
        ),
    ),
    _loader(
        name="gpio-select",
        marks="gpio select",
        form=r"\bno GPIO select ?!",
        example="no GPIO select!",
        weight=Weight.NORMAL,
        says="no pin chooses a test image; boot loaders that go on well print it",
        versions="1.4 and later",
    ),
    _loader(
        name="loader-test",
        marks="test mode|gpio low|enhance boot|jump run bin",
        form=(
            r"\binto test mode ?, gpio \d{1,2} is low|\benhance boot mode\b|"
            r"\bjump to run bin ?@ ?[0-9a-f]{1,6}"
        ),
        example="into test mode , gpio 12 is low",
        weight=Weight.NORMAL,
        says="the boot loader starts a test image",
        versions="1.4 and later",
    ),
    _loader(
        name="loader-test-fails",
        marks="test bin not pass",
        form=r"\btest bin is not pass ?!",
        example="test bin is not pass!",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.NO_IMAGE,
            "The boot loader does not start the test image: it has no mark that its test was passed.",
            "Line {line} says '{text}'. The parameters of the boot loader ask for a test image.",
            (
                cure(
                    "Blank the parameters, so that the boot loader takes user1.",
                    actions.erase(Area.SYSTEM_PARAM),
                ),
            ),
        ),
        until_runs=True,
        versions="1.4 and later",
    ),
    _loader(
        name="loader-vendor",
        marks="sys start|gpio",
        form=r"^\s{0,4}(?:sys start \d{1,4}|gpio \d{1,2} \d{1,2})\s{0,4}$",
        example="sys start 1",
        weight=Weight.NORMAL,
        says="a vendor's boot loader 1.4(b2)",
    ),
)
