"""What esp-open-rtos says, and the firmware made with it: esp-homekit, HAA.

Dumps are read in :mod:`imgtool.formats.logs`.  Not the boot loader rBoot that starts them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Turn, Weight
from imgtool.operations.explain.values import LogOutcome, Verdict

__all__ = ["ROWS"]

_CORE: Final = "https://github.com/SuperHouse/esp-open-rtos/blob/master/core"
_MAIN: Final = f"{_CORE}/app_main.c"
_DUMPS: Final = f"{_CORE}/debug_dumps.c"
_PORT: Final = (
    "https://github.com/SuperHouse/esp-open-rtos/blob/master/FreeRTOS/Source/portable/esp8266/port.c"
)
_HOMEKIT: Final = "https://github.com/maximkulkin/esp-homekit/blob/master/src"
_HAA: Final = "https://github.com/RavenSystem/esp-homekit-devices"

_rtos = partial(Message, speaker=Speaker.OPEN_RTOS, source=_MAIN)
_homekit = partial(Message, speaker=Speaker.HOMEKIT, source=f"{_HOMEKIT}/server.c")
_haa = partial(Message, speaker=Speaker.HAA, source=_HAA)

ROWS: Final = (
    _rtos(
        name="open-rtos",
        marks="open sdk ver",
        form=r"\bESP-Open-SDK ver: \S{1,20}(?: compiled @ .{1,30})?",
        example="ESP-Open-SDK ver: 0.0.1 compiled @ May 23 2019 16:48:22",
        weight=Weight.NORMAL,
        says="the system begins, before the application",
        begins=True,
    ),
    _rtos(
        name="open-rtos-tasks",
        marks="pp_task_hdl|pm_task_hdl|frc_timer_task_hdl|frc",
        form=(
            r"\b(?:pp|pm)_task_hdl ?: ?(?:0x)?[0-9a-f]{0,8}(?:, ?prio:\d{1,3}, ?stack:\d{1,6})?|"
            r"\bfrc2_timer_ta(?:sk_hdl:(?:0x)?[0-9a-f]{0,8}(?:, ?prio:\d{0,3}(?:, ?stack:\d{0,6})?)?)?"
        ),
        example="frc2_timer_task_hdl:0x3fff0fd8, prio:12, stack:200",
        weight=Weight.NORMAL,
        says="the system makes its tasks, before the application; HAA with its log off says nothing more",
    ),
    _rtos(
        name="open-rtos-assert",
        marks="rtos assert",
        form=r"\brtos assert (?P<detail>\S{1,200}(?: \d{1,6})?)",
        example="rtos assert /opt/esp-open-rtos/FreeRTOS/Source/queue.c 1406",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself: an assertion of FreeRTOS does not hold",
            "The program uses the system wrongly, such as a queue or a semaphore that was not made, or "
            "memory was overwritten.",
        ),
        crash=True,
        source=_PORT,
    ),
    _rtos(
        name="open-rtos-second",
        marks="second fatal",
        form=r"\bSecond fatal exception occured inside fatal exception handler",
        example="Second fatal exception occured inside fatal exception handler. Can't continue.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.EXCEPTION,
            "The firmware crashed, and crashed again while it told of that.",
            "Line {line} says '{text}'. Mostly memory was overwritten, or the stack was full.",
            (cure("Give the tasks larger stacks, and build again."),),
        ),
        turn=Turn.RESULT,
        source=_DUMPS,
    ),
    _rtos(
        name="open-rtos-phy",
        marks="sdk_register_chipv",
        form=r"\bFATAL: sdk_register_chipv6_phy failed",
        example="FATAL: sdk_register_chipv6_phy failed",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.INIT_DATA,
            "The firmware stops: the radio cannot be set up.",
            "Line {line} says '{text}': init data is damaged or not where the header's size puts it, or "
            "the supply is weak.",
            (
                cure(
                    "Write init data to its place. Files and settings on the chip stay.",
                    actions.flash_init_data("v05"),
                ),
                cure("Try a better supply."),
            ),
        ),
    ),
    _rtos(
        name="sysparams",
        marks="initialize sysparams",
        form=r"\bWARNING: Could not initialize sysparams \(-?\d{1,5}\)",
        example="WARNING: Could not initialize sysparams (-2)!",
        weight=Weight.NOTED,
        says=Remark(
            "The settings of the firmware cannot be kept: their sectors hold other data, or lie behind "
            "the flash."
        ),
    ),
    _rtos(
        name="core-lock",
        marks="called core lock",
        form=r"\bFunction called without core lock",
        example="Function called without core lock",
        weight=Weight.NORMAL,
        says="the program uses the network without its lock; mostly harmless",
        after_loading=True,
        source="https://github.com/maximkulkin/esp-homekit/issues",
    ),
    # esp-homekit.
    _homekit(
        name="homekit",
        marks="homekit starting|homekit configuring",
        form=r"\bHomeKit: (?:Starting server|Configuring mDNS)",
        example=">>> HomeKit: Starting server",
        weight=Weight.RUNS,
        says="the server starts",
    ),
    _homekit(
        name="homekit-storage",
        slow=True,
        marks="homekit formatting|homekit using|wifi_config|homekit",
        form=(
            r"\bHomeKit: (?:Formatting HomeKit storage at 0x[0-9a-f]{1,8}|"
            r"Using existing accessory ID: .{1,30})|!!! wifi_config: (?:No configuration found|"
            r"WiFi scan failed)"
        ),
        example="HomeKit: Formatting HomeKit storage at 0x200000",
        weight=Weight.SPEAKS,
        says="a first start, or a busy radio",
        source=f"{_HOMEKIT}/storage.c",
    ),
    # HAA.
    _haa(
        name="haa-overflow",
        marks="overflow",
        form=r"(?P<detail>\w[\w .-]{0,19}) overflow \(\d{1,8}\)",
        example="main overflow (12)",
        whole=True,
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The stack of a task of the firmware overflowed.",
            "Line {line} says '{text}'. The settings ask for more than the chip has memory for, or the "
            "firmware has an error.",
            (cure("Take a newer version of the firmware, or settings with fewer accessories."),),
        ),
        behind=(Speaker.OPEN_RTOS,),
        after_loading=True,
    ),
    _haa(
        name="haa-installer",
        marks="haa installer|haaboot|otamain|haamain",
        form=(
            r"\bHAA Installer v?\d[\w.]{0,15}|(?:^|\s)(?:HAABOOT|OTAMAIN)\s{0,2}$|"
            r"\* (?:HAABOOT|OTAMAIN|HAAMAIN)(?: \S{1,20})? installed\b"
        ),
        example="OTAMAIN",
        weight=Weight.RUNS,
        says="the installer works",
        source=f"{_HAA}/blob/master/HAA/HAA_Installer/main.c",
    ),
    _haa(
        name="haa-installer-error",
        marks="haaboot|otamain|haamain",
        form=(
            r"(?:!{1,3}|\bERROR) (?:(?:Error )?(?:[Ii]nstall|[Dd]ownload)ing )?(?:HAABOOT|OTAMAIN|HAAMAIN)\b"
            r"(?: sign(?:ature)?)?(?: -?\d{1,6})?"
        ),
        example="! Installing HAAMAIN -2",
        weight=Weight.NOTED,
        says=Remark(
            "Line {line} says '{text}': the download or its signature failed, by the network or the server."
        ),
        source=f"{_HAA}/blob/master/HAA/HAA_Installer/main.c",
    ),
)
