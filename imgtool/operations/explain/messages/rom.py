"""What the boot ROM says.

Its numbers (banner, segments, checksums) are read in :mod:`imgtool.formats.logs`, and judged by
:mod:`imgtool.operations.explain.boot_verdicts`; the rows without a form stand for these lines.  Not the lines
of what it starts.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations.actions import Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Turn, Weight
from imgtool.operations.explain.values import INSPECT, VERIFY, WRITE, LogOutcome, Verdict

__all__ = ["ROWS"]

_DUMP: Final = "https://github.com/trebisky/esp8266/blob/master/reverse/bootrom/boot.txt"

_rom = partial(Message, speaker=Speaker.ROM, source=_DUMP)

ROWS: Final = (
    _rom(
        name="banner",
        example=" ets Jan  8 2013,rst cause:2, boot mode:(3,6)",
        weight=Weight.NORMAL,
        says="a start of the chip: the reset cause, and how the strap pins stood",
    ),
    _rom(
        name="load",
        example="load 0x40100000, len 28740, room 16",
        weight=Weight.NORMAL,
        says=(
            "a segment is loaded; an address where the chip has no memory is a damaged image or a wrong mode"
        ),
    ),
    _rom(
        name="csum-err",
        example="csum err",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.BAD_IMAGE, "The checksum of the image is wrong.", ""),
    ),
    _rom(
        name="flash-read-err",
        example="flash read err, ets_unpack_flash_code",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.BAD_IMAGE, "The ROM cannot read the flash.", ""),
    ),
    _rom(
        name="ets-main",
        example="ets_main.c",
        weight=Weight.FAILS,
        says=LogOutcome(Verdict.NO_IMAGE, "The ROM has found nothing that it can start.", ""),
    ),
    _rom(
        name="waiting",
        example="waiting for host",
        weight=Weight.NORMAL,
        says="the strap pins choose SDIO, or the chip waits for a flasher",
    ),
    _rom(
        name="wdt-reset",
        example="wdt reset",
        weight=Weight.EARLIER,
        says=Remark("The hardware watchdog ended the run before."),
    ),
    _rom(
        name="unknown-reset",
        example="unknown reset",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.HARDWARE,
            "The boot ROM stops: it does not know why the chip was reset.",
            "Line {line} says '{text}': the chip has started in a way that it does not know, mostly as "
            "the supply or the EN or RST line came up badly.",
            (
                cure("Take the supply off for some seconds, and put it on again."),
                cure("If it stays: a better supply, 10 kOhm from EN and RST to 3.3 V, and short wires."),
            ),
        ),
    ),
    _rom(
        name="user-code-done",
        marks="user code done",
        form=r"\buser code done",
        example="user code done",
        weight=Weight.FAILS,
        turn=Turn.RESULT,
        after_loading=True,
        until_runs=True,
        says=LogOutcome(
            Verdict.BAD_IMAGE,
            "The image was loaded and started, and then failed.",
            "Line {line} says '{text}': what was started has returned, which it must not. It is no "
            "firmware for this place, or its beginning is damaged; a boot loader returns where it finds "
            "nothing to start.",
            (
                cure("See whether the file is whole, and one for address 0.", INSPECT),
                cure("If it is, write it again, and compare.", WRITE, VERIFY),
            ),
        ),
    ),
    _rom(
        name="rom-sdio",
        marks="bootup|rds|sip|unknown",
        form=(
            r"\bbootup , addr 0x[0-9a-f]{1,8}|\bno rds\b|\bsip bogus rx done|\brx done unknown|"
            r"\btx unknown\b"
        ),
        example="bootup , addr 0x40100000",
        weight=Weight.NORMAL,
        says="the chip boots over SDIO: its strap pins stand wrong",
        after_loading=True,
    ),
    _rom(
        name="rom-checks",
        marks="eprintf|ets_timer",
        form=r"\beprintf no buf|\bets_timer\.c \d{1,4}",
        example="ets_timer.c 178",
        weight=Weight.NOTED,
        says=Remark(
            "A check of the boot ROM found something wrong: mostly the program uses a timer or its "
            "printing wrongly."
        ),
    ),
)
