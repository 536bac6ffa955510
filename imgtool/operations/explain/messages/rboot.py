"""What the boot loader rBoot says, and its forks in Sming, in Mongoose OS and in HAA.

Not the firmware that it starts: a line of rBoot never names one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.chip import SECTOR
from imgtool.operations import actions
from imgtool.operations.actions import FileRole, PlacedFile, Remark, Stretch, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.operations.explain.messages.row import Told

__all__ = ["ROWS"]

_SOURCE: Final = "https://github.com/raburton/rboot/blob/master/rboot.c"
_FORK: Final = "https://github.com/cesanta/mongoose-os/tree/master/platforms/esp8266/rboot"
_CONFIG: Final = Stretch(SECTOR, SECTOR)
_WRITE_ROM: Final = cure(
    "Write the application where the configuration says: 0x2000, unless the build or a boot loader of its "
    "own says otherwise.",
    actions.flash(PlacedFile(FileRole.APPLICATION, Unknown.ADDRESS)),
)
_SEE_CONFIG: Final = cure(
    "See what the configuration of rBoot says.",
    actions.read(FileRole.TABLE_SECTOR, _CONFIG),
    actions.inspect(FileRole.TABLE_SECTOR),
)
_BLANK_CONFIG: Final = cure(
    "If it is damaged: erase it; rBoot writes a new one that begins at 0x2000.", actions.erase(_CONFIG)
)
_NO_ROM: Final = LogOutcome(
    Verdict.NO_IMAGE,
    "The boot loader rBoot finds no application that it can start.",
    "Line {line} says '{text}': at none of the places in its configuration is a whole image. A configuration "
    "that it writes itself has 0x2000, and 0x2000 behind the middle of the flash size in the header.",
    (_WRITE_ROM, _SEE_CONFIG, _BLANK_CONFIG),
)
_BOOTS: Final = ("rboot-boots", "rboot-boots-other")


def _at_zero(outcome: LogOutcome, told: Told) -> LogOutcome:
    """A configuration that names address 0 or a ROM -1 is none."""
    if told.boot.has("rboot-reset", "rboot-default") or told.groups["at"] in ("0", "ffffffff"):
        return outcome._replace(
            cause=(
                f"{outcome.cause} Here the configuration itself is wrong: it names a place that can be none."
            )
        )
    return outcome


ROWS: Final = (
    Message(
        name="rboot",
        speaker=Speaker.RBOOT,
        marks="rboot",
        form=r"\brBoot v\d[\w.]{0,10}(?: - \S{1,60})?",
        example="rBoot v1.4.2 - author@example.org",
        weight=Weight.NORMAL,
        says="the boot loader begins",
        source=_SOURCE,
        begins=True,
    ),
    Message(
        name="no-rom",
        speaker=Speaker.RBOOT,
        marks="no good rom",
        form=r"\bNo good rom available",
        example="No good rom available.",
        weight=Weight.FAILS,
        says=_NO_ROM,
        source=_SOURCE,
    ),
    Message(
        name="rboot-bad-rom",
        speaker=Speaker.RBOOT,
        marks="rom is bad",
        form=r"\bRom (?P<rom>-?\d{1,3})(?: at (?P<at>[0-9a-f]{1,8}))? is bad\b",
        example="Rom 0 at 2000 is bad.",
        weight=Weight.FAILS,
        says=_NO_ROM,
        refine=_at_zero,
        unless=_BOOTS,
        until_runs=True,
        source=_SOURCE,
    ),
    Message(
        name="rboot-boots",
        speaker=Speaker.RBOOT,
        marks="booting rom",
        form=r"\bBooting rom \d{1,3}(?: at [0-9a-f]{1,8}, load addr [0-9a-f]{1,8}| \(0x[0-9a-f]{1,8}\))?",
        example="Booting rom 0 at 2000, load addr 33e20.",
        weight=Weight.NORMAL,
        says="the boot loader starts an application",
        source=_SOURCE,
    ),
    Message(
        name="rboot-boots-other",
        speaker=Speaker.RBOOT,
        marks="booting temp|booting selected|erasing config",
        form=r"\bBooting (?:temp rom|GPIO-selected rom)\b|\bErasing SDK config sectors before booting",
        example="Booting temp rom.",
        weight=Weight.NORMAL,
        says="the boot loader starts an application that was chosen for once",
        source=_SOURCE,
    ),
    Message(
        name="rboot-bad-choice",
        speaker=Speaker.RBOOT,
        marks="temp rom|temp boot|gpio rom|gpio boot",
        form=r"\b(?:Temp|GPIO) boot rom \(\d{1,3}\) is bad\b|\bInvalid (?:temp|GPIO) rom selected",
        example="Temp boot rom (1) is bad.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.NO_IMAGE,
            "The boot loader rBoot cannot start the application that was chosen for once.",
            "Line {line} says '{text}': the place that a pin or the application before has chosen has no "
            "whole image.",
            (_WRITE_ROM, _SEE_CONFIG),
        ),
        unless=_BOOTS,
        until_runs=True,
        source=_SOURCE,
    ),
    Message(
        name="rboot-default",
        speaker=Speaker.RBOOT,
        marks="invalid rom",
        form=r"\bInvalid rom selected, defaulting(?: to \d)?",
        example="Invalid rom selected, defaulting to 0.",
        weight=Weight.NOTED,
        says=Remark(
            "The configuration of rBoot chooses an application that there is none of: it is damaged, or "
            "of another layout. rBoot takes the first one."
        ),
        source=_SOURCE,
    ),
    Message(
        name="rboot-reset",
        speaker=Speaker.RBOOT,
        marks="resetting boot config",
        form=r"\bResetting boot config",
        example="Resetting boot config.",
        weight=Weight.NOTED,
        says=Remark("The configuration of rBoot was not valid, and rBoot has made a new one."),
        versions="Sming's fork",
        source="https://github.com/raburton/rboot/issues/64",
    ),
    Message(
        name="rboot-new-config",
        speaker=Speaker.RBOOT,
        marks="writing default boot",
        form=r"\bWriting default boot config(?: @ 0x[0-9a-f]{1,8})?",
        example="Writing default boot config.",
        weight=Weight.NORMAL,
        says="a first start: the sector of the configuration was blank",
        source=_SOURCE,
    ),
    Message(
        name="oakboot",
        speaker=Speaker.RBOOT,
        marks="oakboot",
        form=r"\bOakBoot v\d[\w.]{0,10}(?: - .{1,40})?",
        example="OakBoot v1 - N,BP,0",
        weight=Weight.NORMAL,
        says="a vendor's boot loader made of rBoot",
        versions="the fork in Oak",
        source="https://github.com/digistump/OakRestore",
    ),
    Message(
        name="rboot-header",
        speaker=Speaker.RBOOT,
        marks="flash mode|flash speed|rboot option",
        form=r"(?<!SPI )\bFlash (?:Mode|Speed): {1,6}\w{2,10}(?: ?MHz)?|\brBoot Option: .{1,40}",
        example="Flash Mode:   DIO",
        weight=Weight.NORMAL,
        says="the header of the boot loader, and what it was built with",
        source=_SOURCE,
        after_loading=True,
    ),
    Message(
        name="rboot-unconfirmed",
        speaker=Speaker.RBOOT,
        marks="first attempt|unconfirmed",
        form=r"\bFirst boot, attempt \d{1,3}|\bBoot is unconfirmed",
        example="First boot, attempt 1",
        weight=Weight.NORMAL,
        says="the first start behind an update",
        versions="the fork in Mongoose OS",
        source=_FORK,
    ),
    Message(
        name="rboot-fallback",
        speaker=Speaker.RBOOT,
        marks="fallback",
        form=r"\bBoot failed, fallback to fw #\d",
        example="Boot failed, fallback to fw #0",
        weight=Weight.NOTED,
        says=Remark("An update did not start; the boot loader went back to the firmware before it."),
        versions="the fork in Mongoose OS",
        source=_FORK,
    ),
)
