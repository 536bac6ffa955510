"""Prompts, which several firmwares share, and words of failure in lines that no row knows.

Where they stand in the form of a boot loader or an SDK nobody can say that all is well; in an application's
own text they are quoted, and decide nothing: sketches print "error" and go on.  Not a list of failures.
"""

from __future__ import annotations

from typing import Final

from imgtool.operations.actions import Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import RECORD_FIRMWARE, LogOutcome, Verdict

__all__ = ["ROWS"]

_OWN: Final = "of no firmware that is known"

ROWS: Final = (
    Message(
        name="prompt",
        speaker=Speaker.ANY,
        marks=">",
        form=r">(?!>)(?: ?\S.{0,200})?",
        example="> ",
        weight=Weight.RUNS,
        says="a prompt",
        source="https://github.com/nodemcu/nodemcu-firmware/blob/release/app/lua/lua.c",
        behind=(Speaker.NODEMCU, Speaker.ESPRUINO),
        after_loading=True,
        whole=True,
    ),
    Message(
        name="decoded-address",
        speaker=Speaker.ANY,
        marks="at",
        form=r"^\s{0,4}0x40[0-9a-f]{6}: .{1,120} at \S{1,200}:(?:\d{1,6}|\?)\s{0,4}$",
        example="0x40210010: _stext at ??:?",
        weight=Weight.NORMAL,
        says="what a monitor made of an address in the line before",
        source="https://github.com/espressif/ESP8266_RTOS_SDK/blob/master/tools/idf_monitor.py",
        after_loading=True,
    ),
    Message(
        name="unknown-failure",
        speaker=Speaker.ANY,
        marks="e|assert|assertion|abort|aborted|aborting|panic|panicked",
        form=(
            r"(?:^|\s)E \(\d{1,9}\) [\w.-]{1,30}: ?.{0,120}|(?i:\bassert(?:ion)?(?: failed|:|\(|"
            r" \S{1,120} (?:failed|\d{1,6}$)).{0,80}|\babort(?:ed|ing)?(?:\(\)|:|!).{0,80}|\bpanic(?:ked|"
            r"'ed)?(?::|\(|!| in| at).{0,80}|\bkernel panic\b)"
        ),
        example="E (4711) power: the regulator does not answer",
        weight=Weight.UNCLEAR,
        says=LogOutcome(
            Verdict.CANNOT_JUDGE,
            "Whether this works cannot be judged: it names a failure that imgtool does not know.",
            "Line {line} says '{text}'. That is the form in which boot loaders and SDKs tell of failures; "
            "what it comes to here is not known.",
            (cure("Read what comes behind it: record it for longer, from the reset on.", RECORD_FIRMWARE),),
        ),
        source=_OWN,
        after_loading=True,
        fallback=True,
    ),
    Message(
        name="own-failure-word",
        speaker=Speaker.ANY,
        marks="error|errors|failed|failure|fail|fails|corrupt|corrupted|traceback|exception|crash|crashed",
        form=r"(?i)\b(?:errors?|fail(?:ed|ure|s)?|corrupt(?:ed)?|traceback|exception|crash(?:ed)?)\b",
        example="Error: could not read from the sensor",
        weight=Weight.NOTED,
        says=Remark(
            "Line {line} has the word '{text}'. It is the firmware's own text, and decides nothing here."
        ),
        source=_OWN,
        after_loading=True,
        fallback=True,
    ),
)
