"""What Mongoose OS says.

Its exceptions are read in :mod:`imgtool.formats.logs`.  Not its boot loader, which is a fork of rBoot.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Turn, Weight
from imgtool.operations.explain.values import RECORD_FIRMWARE, WRITE, LogOutcome, Verdict

__all__ = ["ROWS"]

_REPO: Final = "https://github.com/cesanta/mongoose-os/blob/master"
_PLATFORM: Final = f"{_REPO}/platforms/esp8266/src"
_EXCEPTIONS: Final = f"{_PLATFORM}/esp_exc.c"
_INIT: Final = f"{_REPO}/src/mgos_init.c"

_mongoose = partial(Message, speaker=Speaker.MONGOOSE, source=_INIT)

ROWS: Final = (
    _mongoose(
        name="mongoose",
        marks="mongoose os",
        form=r"\bMongoose OS \d[\w.-]{0,39} \([^)]{1,60}\)",
        example="Mongoose OS 2.19.1 (2.19.1-g4b9a0a5)",
        weight=Weight.SPEAKS,
        says="the firmware begins",
        begins=True,
    ),
    _mongoose(
        name="mongoose-ready",
        marks="init done ram",
        form=r"\bInit done, RAM: \d{1,9} total, \d{1,9} free",
        example="mgos_init2           Init done, RAM: 51448 total, 41880 free, 41520 min free",
        weight=Weight.RUNS,
        says="it is through with its start",
    ),
    _mongoose(
        name="mongoose-failed",
        marks="init failed|init error|config defaults",
        behind=(Speaker.MONGOOSE,),
        form=r"\bInit failed: -?\d{1,6}|\bMG init error: -?\d{1,6}|\bFailed to load config defaults",
        example="Init failed: -9",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FILE_SYSTEM,
            "Mongoose OS stops in its start: its files or its settings cannot be used.",
            "Line {line} says '{text}'. Its file system (fs.bin) was not written, is damaged, or lies "
            "elsewhere than the firmware looks for it.",
            (
                cure("Keep what is on the chip first, if it matters.", actions.read(FileRole.DUMP)),
                cure(
                    "Erase the chip, and write all parts of the build again; that loses its settings.",
                    actions.erase(Area.ALL),
                    WRITE,
                ),
            ),
        ),
        source=f"{_PLATFORM}/esp_main.c",
        after_loading=True,
    ),
    _mongoose(
        name="core-dump",
        marks="core dump",
        form=r"-{2,4} ?BEGIN CORE DUMP ?-{2,4}",
        example="--- BEGIN CORE DUMP ---",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.EXCEPTION,
            "Mongoose OS crashed.",
            "Line {line} says '{text}'. A dump of its memory follows, for its own tools. The lines above "
            "name the reason.",
            (cure("Record what comes before it, too.", RECORD_FIRMWARE),),
        ),
        turn=Turn.RESULT,
        source=f"{_REPO}/src/mgos_core_dump.c",
    ),
    _mongoose(
        name="core-dump-end",
        marks="core dump",
        form=r"-{2,4} ?END CORE DUMP ?-{2,4}|\(exc SP: (?:0x)?[0-9a-f]{6,8}\)",
        example="---- END CORE DUMP ----",
        weight=Weight.NORMAL,
        says="parts of the dump of a crash",
        source=_EXCEPTIONS,
    ),
    _mongoose(
        name="mongoose-reboots",
        marks="rebooting",
        form=r"^\s{0,4}(?:NOT )?rebooting\s{0,4}$",
        example="rebooting",
        weight=Weight.NORMAL,
        says="what follows a crash",
        behind=(Speaker.MONGOOSE,),
        after_loading=True,
        source=_EXCEPTIONS,
    ),
    _mongoose(
        name="mongoose-exit",
        marks="_exit",
        form=r"^\s{0,4}_exit\(-?\d{1,6}\)",
        example="_exit(1)",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware ended itself",
            "The program called exit(), which a firmware must not.",
        ),
        crash=True,
        source=_EXCEPTIONS,
    ),
    _mongoose(
        name="mjs-error",
        marks="mjs error",
        form=r"\bMJS error: .{1,120}",
        example="MJS error: cannot call non-functions",
        weight=Weight.NOTED,
        says=Remark(
            "A script of Mongoose OS ended with an error: '{text}'. The firmware itself is in order."
        ),
        source="https://github.com/mongoose-os-libs/mjs",
    ),
    _mongoose(
        name="mongoose-reset",
        marks="reset cause|exc info cause",
        form=(
            r"\bReset cause: [0-6] \((?:power on|HW WDT|exception|SW WDT|soft reset|deep sleep wake|"
            r"sys reset)\)|\bExc info: cause=\d{1,2} epc1=0x[0-9a-f]{8}.{0,100}"
        ),
        example="Reset cause: 2 (exception)",
        weight=Weight.EARLIER,
        says=Remark("The firmware tells how its run before ended."),
        source=_EXCEPTIONS,
    ),
)
