"""What NodeMCU says, 0.9 to 3.0.

Lua's panics are read in :mod:`imgtool.formats.logs`.  Not what a script prints.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, PlacedFile, Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Turn, Weight
from imgtool.operations.explain.values import INSPECT, INSPECT_PAIR, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.operations.explain.messages.row import Told

__all__ = ["ROWS"]

_REPO: Final = "https://github.com/nodemcu/nodemcu-firmware/blob/release/app"
_MAIN: Final = f"{_REPO}/user/user_main.c"
_SPIFFS: Final = f"{_REPO}/spiffs/spiffs.c"
_LFS: Final = f"{_REPO}/lua/lflash.c"
_LAUXLIB: Final = f"{_REPO}/lua/lauxlib.c"
_RAN: Final = "seen by running the firmware"

_OTHER_SIZE: Final = (
    actions.make_flash(FileRole.LOW_HALF, FileRole.HIGH_HALF, size=Unknown.SIZE),
    actions.flash(FileRole.WHOLE_FLASH),
)
"""Another flash size into the header, and the image to the board."""

_TABLE_STOPS: Final = "The firmware stops at its partition table."
_TABLE_MISFIT: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    _TABLE_STOPS,
    "It says '{text}': the table of the firmware does not fit the flash size in the image header. Either "
    "the header has a smaller size than the chip, or the firmware is for a larger chip.",
    (
        cure("See which size the header has.", actions.inspect(FileRole.LOW_HALF)),
        cure(
            "Find the size of the chip, and make an image whose header says it.",
            actions.ask_chip(),
            *_OTHER_SIZE,
        ),
    ),
)
_ERASE_LFS: Final = cure(
    "If no prompt comes in between: erase the LFS region; that loses what is in LFS, and nothing else.",
    actions.erase(Area.LFS),
)
_LOAD_LFS: Final = cure(
    "Load an LFS image that the luac.cross of exactly this build has made.",
    actions.flash(PlacedFile(FileRole.LFS, Area.LFS)),
)
_AFTER_LFS: Final = LogOutcome(
    Verdict.BOOT_LOOP,
    "NodeMCU does not get going any more since its LFS was updated.",
    "Line {line} says '{text}'; the starts behind it stop where the firmware should speak. The LFS image "
    "makes NodeMCU hang or restart: mostly it was made for another build, or is damaged.",
    (_ERASE_LFS, _LOAD_LFS),
)
_LFS_REFUSED: Final = Remark(
    "Line {line} says '{text}': the LFS image was not loaded. Make it with the luac.cross of exactly this "
    "build, no larger than the LFS region.",
)


def _format_failed(outcome: LogOutcome, told: Told) -> LogOutcome:
    """The size that it tried, where the line before says it."""
    tried = next((each.text for each in told.boot.messages if each.kind == "format-size"), "")
    if not tried:
        return outcome
    numbers = [word.strip(",") for word in tried.split() if word.startswith("0x")]
    size = int(numbers[0], 16)
    return outcome._replace(
        cause=f"{outcome.cause} Here it has {size // SECTOR} sector{'' if size == SECTOR else 's'} "
        f"({numbers[0]} bytes at {numbers[-1]}), and needs more."
    )


_node = partial(Message, speaker=Speaker.NODEMCU, source=_MAIN)

ROWS: Final = (
    # The start.
    _node(
        name="nodemcu",
        marks="nodemcu",
        form=r"\bNodeMCU (?:custom build\b|\d{1,2}\.[\w.]{1,20}).{0,80}",
        example="NodeMCU 3.0.0.0 built on nodemcu-build.com provided by frightanic.com",
        weight=Weight.RUNS,
        says="the banner, which Lua itself prints",
        source=f"{_REPO}/lua/lua.c",
        begins=True,
    ),
    _node(
        name="lua",
        marks="powered lua",
        form=r"\bpowered by Lua \d[\w.]{0,12}(?: on SDK [\w.()-]{1,30})?",
        example=" build 2021-05-10 20:24 powered by Lua 5.1.4 on SDK 3.0.1-dev(fce080e)",
        weight=Weight.RUNS,
        says="the end of the banner",
        source=f"{_REPO}/lua/lua.c",
    ),
    _node(
        name="nodemcu-banner",
        marks="branch|commit|release|ssl|modules|build type|lfs capacity|dts|built on",
        form=(
            r"^\s{0,8}(?:branch: \S{0,60}|commit: [0-9a-f]{0,40}|release: \S{0,80}|release DTS: \S{0,20}|"
            r"SSL: (?:true|false)|build type: \w{1,12}|LFS: 0x[0-9a-f]{1,8} bytes total capacity|"
            r"modules: .{1,300}|build built on: .{1,40})\s{0,4}$"
        ),
        example="\tmodules: file,gpio,net,node,tmr,uart,wifi",
        weight=Weight.RUNS,
        says="a part of the banner",
        source=f"{_REPO}/lua/lua.c",
        behind=(Speaker.NODEMCU,),
        after_loading=True,
    ),
    _node(
        name="no-init-lua",
        marks="cannot open init",
        form=r"\b(?:lua: )?cannot open init\.lua\b",
        example="lua: cannot open init.lua",
        weight=Weight.RUNS,
        says="there is no script yet, which is in order for a new file system; Lua itself says so",
        source=f"{_REPO}/lua/lua.c",
    ),
    _node(
        name="nodemcu-size",
        marks="spi fi size",
        form=r"\bsystem SPI FI size: {0,2}\d{1,2}, {0,2}Flash size: {0,2}(?P<flash_bytes>\d{1,10})\b",
        example="system SPI FI size:2, Flash size: 1048576",
        weight=Weight.NORMAL,
        says="the size in the header, before the partition table is read",
        versions="3.0 and later",
    ),
    _node(
        name="nodemcu-task",
        marks="task_lua|fpm auto|_flash_used_end|mount res",
        form=(
            r"\bTask task_lua started|\b\w{1,8} mode, fpm auto sleep set:\w{1,8}|"
            r"\b_flash_used_end:[0-9a-f]{1,8}|\bmount res: \d{1,6}(?:, -?\d{1,6})?"
        ),
        example="Task task_lua started.",
        weight=Weight.NORMAL,
        says="details of the start, in builds for debugging",
    ),
    # Its flash.
    _node(
        name="too-small",
        marks="too small support",
        form=r"\bFlash size \((?P<flash_bytes>\d{1,10})\) too small to support NodeMCU",
        example="Flash size (524288) too small to support NodeMCU",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.TOO_SMALL_FLASH,
            "NodeMCU stops: it takes the flash for too small.",
            "It says '{text}'. NodeMCU 3.0 and later needs 1 MB, and takes the size from the image "
            "header. Either the header is wrong, or the chip is really that small: the chip itself tells "
            "its size.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure("If it has 1 MB or more: put that size into the header.", *_OTHER_SIZE),
                cure(
                    "If it has 512 KB: take NodeMCU 2.2 or earlier. See which version the file is.", INSPECT
                ),
            ),
        ),
        versions="3.0 and later",
    ),
    _node(
        name="alignment",
        marks="invalid alignment",
        form=r"\bPartition \d{1,10} invalid alignment",
        example="Partition 2 invalid alignment",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            _TABLE_STOPS,
            "It says '{text}': an entry of NodeMCU's table lies outside the flash, overlaps another or "
            "does not begin at a sector. Mostly the header has a smaller size than the table was made "
            "for.",
            (cure("See table and header.", INSPECT_PAIR), _TABLE_MISFIT.cures[1]),
        ),
        versions="3.0 and later",
    ),
    _node(
        name="invalid-table",
        marks="invalid system",
        form=r"\bInvalid system partition table",
        example="Invalid system partition table",
        weight=Weight.FAILS,
        says=_TABLE_MISFIT,
        versions="3.0 and later",
    ),
    _node(
        name="writes-init-data",
        slow=True,
        marks="writing init data",
        form=r"\bWriting Init Data to 0x[0-9a-f]{1,8}",
        example="Writing Init Data to 0xf000",
        weight=Weight.NORMAL,
        says="a first start",
        versions="3.0 and later",
    ),
    _node(
        name="restore",
        slow=True,
        marks="restore init",
        form=r"\bRestore init data",
        example="Restore init data.",
        weight=Weight.NORMAL,
        says="init data is written, and the chip restarts once",
        versions="0.9.5 and 0.9.6",
        after_loading=True,
    ),
    _node(
        name="adjust",
        marks="adjust flash size",
        form=(
            r"\bSelf adjust flash size\.?(?: 0x(?P<told>[0-9a-f]{1,8}) \(ROM\) -> "
            r"0x(?P<found>[0-9a-f]{1,8}) \(Detected\))?"
        ),
        example="Self adjust flash size.",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.FLASH_SIZE,
            "NodeMCU corrects the flash size in its header at every start, and never gets further.",
            "Line {line} says '{text}'. It does so once, and restarts; here it cannot: the header in "
            "flash does not keep what it writes, or the size that it finds in the chip is wrong, as with "
            "some clones.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure("Write the firmware with that size in the header.", *_OTHER_SIZE),
            ),
        ),
        once=Remark(
            "NodeMCU sets the flash size in the header to that of the chip; 1.5.4.1 and later then "
            "restart once. That is in order."
        ),
        versions="0.9.5 to 2.2",
    ),
    _node(
        name="flash-errors",
        marks="error flash_read|error flash_write",
        form=r"\bERROR in flash_(?:read|write): r=(?P<result>\d{1,2}) at (?P<at>[0-9a-f]{1,8})",
        example="ERROR in flash_read: r=1 at 40280000",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FLASH_SIZE,
            "NodeMCU reads where its flash has nothing.",
            "Line {line} says '{text}'. It looks for its files at or behind the end of the flash that the "
            "header grants: mostly the header states more, or less, than the chip has. With r=2 the flash "
            "does not answer in time, as for a weak supply.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure("Write the firmware with that size in the header.", *_OTHER_SIZE),
            ),
        ),
        until_runs=True,
        source=f"{_REPO}/platform/platform.c",
        turn=Turn.RESULT,
    ),
    # Its files.
    _node(
        name="format",
        slow=True,
        marks="formatting file",
        form=r"\bFormatting file system\. Please wait",
        example="Formatting file system. Please wait...",
        weight=Weight.NOTED,
        says=Remark(
            "NodeMCU makes a new file system, which takes up to a minute, once. If it does so at every "
            "start: it was reset before it was done, or the flash size in the header is wrong."
        ),
        versions="1.5 and later",
    ),
    _node(
        name="format-size",
        marks="formatting size addr",
        form=r"\bFormatting: size 0x[0-9a-f]{1,8}, addr 0x[0-9a-f]{1,8}",
        example="Formatting: size 0x1000, addr 0x7a000",
        weight=Weight.NORMAL,
        says="size and place of the new file system",
        source=_SPIFFS,
    ),
    _node(
        name="format-failed",
        marks="unable format",
        form=r"\bunable to format\. FS might be compromised",
        example="*** ERROR ***: unable to format. FS might be compromised.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FILE_SYSTEM,
            "NodeMCU has no file system: formatting failed.",
            "Line {line} says '{text}'. Behind the firmware there is too little room for one, up to the "
            "end that the header grants. Lua runs all the same, without files.",
            (
                cure(
                    "Ask the chip for its size; where it has more than the header says, write that.",
                    actions.ask_chip(),
                ),
                cure("Build the firmware with fewer modules, so that it ends earlier, and write it.", WRITE),
                cure("See where the firmware ends, and which size the header has.", INSPECT),
            ),
        ),
        refine=_format_failed,
        source=_SPIFFS,
        versions="1.5.4.1 and later",
    ),
    _node(
        name="reflash-advice",
        marks="advised re flash",
        form=r"\bIt is advised to re-flash the NodeMCU image",
        example="It is advised to re-flash the NodeMCU image.",
        weight=Weight.NORMAL,
        says="the end of the message that formatting failed",
        source=_SPIFFS,
    ),
    _node(
        name="format-done",
        marks="format done",
        form=r"^\s{0,4}format done\.\s{0,4}$",
        example="format done.",
        weight=Weight.NORMAL,
        says="a script has made a new file system",
        source=f"{_REPO}/modules/file.c",
        after_loading=True,
    ),
    # LFS.
    _node(
        name="lfs-updated",
        marks="lfs region updated|erasing lfs|lfs image loaded",
        form=(
            r"\bLFS region updated(?:\.  ?Restarting\.)?|\bLFS image loaded|"
            r"\bErasing LFS from flash addr 0x[0-9a-f]{1,8}"
        ),
        example="LFS region updated.  Restarting.",
        weight=Weight.NORMAL,
        says="LFS has a new image; a restart follows",
        leads_to=_AFTER_LFS,
        source=_LFS,
        versions="2.2 and later",
    ),
    _node(
        name="lfs-absent",
        marks="no lfs image",
        form=r"\bNo LFS image loaded",
        example="No LFS image loaded",
        weight=Weight.NORMAL,
        says="LFS is empty, which is in order",
        source=_LFS,
        versions="2.2 and later",
    ),
    _node(
        name="lfs-signature",
        marks="flash sig|flash size check",
        form=r"\bFlash sig(?:nature)? not correct|\bFlash size check failed",
        example="Flash sig not correct: 0 vs fafaaf50",
        weight=Weight.NOTED,
        says=Remark(
            "LFS holds the image of another build, and is not used; that is harmless. Load it again for "
            "this build."
        ),
        source=_LFS,
        versions="2.2 and later",
        after_loading=True,
    ),
    _node(
        name="lfs-corrupted",
        marks="lfs image corrupted",
        form=r"\bLFS image corrupted",
        example="LFS image corrupted.",
        weight=Weight.NOTED,
        says=Remark(
            "The LFS image is damaged: load it again, from a file on the chip, or write it to its place.",
            (actions.flash(PlacedFile(FileRole.LFS, Area.LFS)),),
        ),
        source=f"{_REPO}/lua53/lnodemcu.c",
        versions="3.0 with Lua 5.3",
    ),
    _node(
        name="lfs-refused",
        marks="lfs image|incorrect lfs|lfs length",
        form=(
            r"\bLFS Image too big for configured LFS region|\b[Ii]ncorrect LFS (?:header version|"
            r"build type|header signature)|\bLFS length mismatch|\b(?:checksum|"
            r"read) error on LFS image file|\bLFS image file not found"
        ),
        example="Incorrect LFS build type",
        weight=Weight.NOTED,
        says=_LFS_REFUSED,
        source=_LFS,
        versions="2.2 and later",
    ),
    _node(
        name="lfs-restart",
        marks="system restarting",
        form=r"\bLua error: {0,8}stdin:\d{1,4}: system restarting",
        example="Lua error: stdin:1: system restarting",
        weight=Weight.NORMAL,
        says="the restart that follows an update of LFS",
        leads_to=_AFTER_LFS,
        source=_LFS,
        versions="3.0",
    ),
    # Lua.
    Message(
        name="lua-panic",
        speaker=Speaker.NODEMCU,
        example="PANIC: unprotected error in call to Lua API (init.lua:30: attempt to index a nil value)",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC, "NodeMCU restarted: an error in a Lua callback that nothing catches.", ""
        ),
        source=_LAUXLIB,
        crash=True,
    ),
    _node(
        name="no-state",
        marks="cannot create state",
        form=r"\bcannot create state: not enough memory",
        example="cannot create state: not enough memory",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.OUT_OF_MEMORY,
            "Lua does not start: there is too little memory for it.",
            "Line {line} says '{text}': the modules of this build leave no room for Lua.",
            (cure("Build the firmware with fewer modules, and write it.", WRITE),),
        ),
        source=f"{_REPO}/lua/lua.c",
    ),
    _node(
        name="no-task",
        marks="start_lua|init platform",
        form=r"\bFailed to post the start_lua task|\bCan not init platform for modules",
        example="Failed to post the start_lua task!",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "NodeMCU does not start Lua.",
            "Line {line} says '{text}': a part of the firmware could not be set up. The build is damaged, "
            "or has an error.",
            (
                cure(
                    "See whether the files are whole and of one build; if so, write them again.",
                    INSPECT_PAIR,
                    WRITE,
                ),
            ),
        ),
        versions="1.5 and later",
    ),
    _node(
        name="nodemcu-assert",
        marks="assert",
        form=r"\bASSERT@(?P<detail>[\w/.-]{1,60}\(\d{1,6}\))(?:: .{1,120})?",
        example="ASSERT@user_main.c(233): rc == 0",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "NodeMCU stopped itself: a check in it failed",
            "The build, or something in its flash, is not as it must be.",
        ),
        crash=True,
        versions="3.0, builds for debugging",
    ),
    _node(
        name="lua-memory",
        marks="not enough memory",
        form=r"\bnot enough memory\b",
        example="not enough memory",
        weight=Weight.NORMAL,
        says="memory is full; a failure where a script ends by it",
        source=_LAUXLIB,
        after_loading=True,
    ),
    _node(
        name="lua-error",
        marks="lua",
        form=(
            r"(?:\blua: |\bLua error: {1,8})"
            r"(?P<lua_error>(?:[\w/.@-]{1,60}\.l(?:ua|c)|stdin|input):\d{1,6}: .{1,160})"
        ),
        example="lua: init.lua:1: attempt to call global 'foo' (a nil value)",
        weight=Weight.NORMAL,
        says="a script ended with an error; the firmware is in order",
        source=f"{_REPO}/lua/lua.c",
    ),
    _node(
        name="lua-nil",
        marks="attempt nil value",
        form=r"^\s{0,4}attempt to (?:call|index) a nil value",
        example="attempt to call a nil value",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.SCRIPT_ERROR,
            "NodeMCU runs, but what it is to start with ended with an error.",
            "Line {line} says '{text}', and names no script: what is called is not there. Mostly that is "
            "a part of LFS, such as _init, or a module that the firmware was built without.",
            (
                cure("See which modules the firmware has.", INSPECT),
                _LOAD_LFS,
                cure(
                    "If init.lua does it at every start: remove that file as soon as the prompt comes, "
                    'file.remove("init.lua").'
                ),
            ),
        ),
        source=_LAUXLIB,
        behind=(Speaker.NODEMCU,),
        after_loading=True,
        turn=Turn.RESULT,
    ),
    _node(
        name="lua-traceback",
        marks="stack traceback|in function|main chunk",
        form=(
            r"^\s{0,8}stack traceback:\s{0,4}$|^\s{0,8}(?:\[C\]|"
            r"[\w/.@-]{1,60}):(?:\d{1,6}:)? in (?:function|main chunk).{0,80}"
        ),
        example="stack traceback:",
        weight=Weight.NORMAL,
        says="where the script was",
        source=_LAUXLIB,
        after_loading=True,
    ),
)
