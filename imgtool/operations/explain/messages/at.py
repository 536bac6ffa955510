"""What Espressif's AT firmware says, and those of vendors that are made of it.

Not the SDK that starts it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

__all__ = ["ROWS"]

_MAIN: Final = "https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/examples/at/user/user_main.c"
_LIBAT: Final = "https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/lib/libat.a"

# AT firmware is behind none of these; words as short as its own are then a sketch's, or a script's.
_OTHERS: Final = (
    Speaker.EBOOT,
    Speaker.ARDUINO,
    Speaker.RTOS_LOADER,
    Speaker.NODEMCU,
    Speaker.MICROPYTHON,
)

_at = partial(Message, speaker=Speaker.AT, source=_LIBAT, after_loading=True)

ROWS: Final = (
    _at(
        name="at-ready",
        marks="ready",
        form=r"ready",
        example="ready",
        weight=Weight.RUNS,
        says="it is through with its start",
        source=_MAIN,
        whole=True,
        never_behind=_OTHERS,
    ),
    _at(
        name="at-radio",
        marks="wifi connected|wifi got|wifi disconnect",
        form=r"WIFI (?:CONNECTED|GOT IP|DISCONNECT)",
        example="WIFI GOT IP",
        weight=Weight.RUNS,
        says="the way into the wireless network",
        whole=True,
        never_behind=_OTHERS,
    ),
    _at(
        name="at-version",
        marks="at version",
        form=r"\bAT version:\S{1,40}.{0,60}",
        example="AT version:1.7.4.0(May 11 2020 19:13:04)",
        weight=Weight.RUNS,
        says="an answer",
        after_loading=False,
    ),
    _at(
        name="at-answer",
        marks="ok|busy|link valid|already connected|at|error",
        form=r"(?:AT(?:\+\w{1,20}.{0,80})?|OK|ERROR|busy [ps]\.\.\.|link is not valid|ALREADY CONNECTED)",
        example="busy p...",
        weight=Weight.RUNS,
        says="an answer, or what was typed",
        whole=True,
        behind=(Speaker.AT,),
    ),
    _at(
        name="at-vendor",
        marks="thinker technology",
        form=r"\bAi-Thinker Technology\b.{0,30}",
        example="Ai-Thinker Technology Co., Ltd.",
        weight=Weight.SPEAKS,
        says="the name of the vendor, before the firmware is through with its start",
        after_loading=False,
        source="https://github.com/MaJerle/ESP8266_AT_Commands_parser/issues/38",
    ),
    _at(
        name="at-vendor-old",
        marks="vendor thinker",
        form=r"\[Vendor:www\.ai-thinker\.com(?: Version:[\d.]{1,12}\]?)?",
        example="[Vendor:www.ai-thinker.com Version:0.9.2.4]",
        weight=Weight.SPEAKS,
        says="the name of the vendor, before the firmware is through with its start",
        versions="0.9",
        after_loading=False,
        source="reports of users",
    ),
    _at(
        name="at-invalid",
        marks="invalid",
        form=r"invalid",
        example="invalid",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.SETTINGS,
            "The AT firmware stops: it takes its parameters for damaged.",
            "Line {line} says '{text}', and 'ready' does not follow: what stands in the last sectors of "
            "the flash is of another firmware.",
            (cure("Blank these sectors; the firmware makes them anew.", actions.erase(Area.SYSTEM_PARAM)),),
        ),
        whole=True,
        behind=(Speaker.AT,),
        until_runs=True,
        source="https://github.com/MaJerle/ESP8266_AT_Commands_parser/issues/38",
    ),
    _at(
        name="at-flash-id",
        marks="flash_id",
        form=r"\bflash_id=0x[0-9a-f]{1,8}\b",
        example="flash_id=0x1540c8",
        weight=Weight.SPEAKS,
        says="the firmware begins",
        versions="1.7",
        source="seen by running the firmware",
    ),
)
