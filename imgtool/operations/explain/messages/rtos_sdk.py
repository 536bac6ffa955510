"""What the RTOS SDKs say: 1.x and 2.x, and the applications of 3.x.

The dumps are read in :mod:`imgtool.formats.logs`.  Not the boot loader of 3.x, though its lines have the same
form.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import PlacedFile, Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Turn, Weight
from imgtool.operations.explain.values import CHECK_FAILED, WRITE, LogOutcome, Verdict

__all__ = ["ROWS"]

_REPO: Final = "https://github.com/espressif/ESP8266_RTOS_SDK"
_OLD: Final = f"{_REPO}/tree/release/v2.1.0/lib"
_COMPONENTS: Final = f"{_REPO}/blob/master/components"
_PANIC: Final = f"{_COMPONENTS}/freertos/port/esp8266/panic.c"
_PORT: Final = f"{_COMPONENTS}/freertos/port/esp8266/port.c"
_PHY: Final = f"{_COMPONENTS}/esp8266/source/phy_init.c"
_WIFI: Final = f"{_COMPONENTS}/esp8266/lib"

_LOADER_TAGS: Final = r"(?:boot|esp_image|qio_mode|flash_parts|chip_boot|boot_comm|bootloader_\w{1,20}|efuse)"
_ERASE_NVS: Final = cure("If it is about NVS (0x11..): erase that partition; its settings are lost.")

_old = partial(Message, speaker=Speaker.OLD_RTOS_SDK, source=_OLD)
_new = partial(Message, speaker=Speaker.RTOS_SDK, source=_PANIC)

ROWS: Final = (
    # 1.x and 2.x.
    _old(
        name="old-rtos",
        marks="os sdk ver",
        form=r"\bOS SDK ver: {0,2}[\w.()-]{1,40}(?: compiled @ [\w :]{1,30})?",
        example="OS SDK ver: 1.4.2(23fbe10) compiled @ Sep 22 2016 13:09:03",
        weight=Weight.NORMAL,
        says="the SDK begins, before the application",
        begins=True,
    ),
    _old(
        name="old-rtos-tasks",
        marks="tcpip_task_hdl|idle_task_hdl|tim_task_hdl|xpphandle|ppt_task_hdl|pm_task_hdl",
        form=r"\b(?:tcpip|idle|tim|ppt|pm)_task_hdl ?: ?(?:0x)?[0-9a-f]{1,8}|\bxPhandle ?: ?[0-9a-f]{1,8}",
        example="tcpip_task_hdl : 3fff0b08, prio:10,stack:512",
        weight=Weight.NORMAL,
        says="the SDK makes its tasks, before the application",
    ),
    _old(
        name="old-rtos-event",
        marks="send error|send failed",
        form=r"\bsend EVENT_\w{1,30} (?:error|failed)",
        example="send EVENT_STAMODE_CONNECTED error",
        weight=Weight.NOTED,
        says=Remark("An event of the radio was lost: the queue for them was full."),
        after_loading=True,
    ),
    _old(
        name="old-rtos-dump",
        marks="rtn_add|stack point",
        form=r"\brtn_add ?= ?0x[0-9a-f]{8}|\bStack Point: (?:0x)?[0-9a-f]{6,8}\b",
        example="rtn_add=0x4024baf6",
        weight=Weight.NORMAL,
        says="part of the dump of a crash",
    ),
    _old(
        name="rtos-port",
        marks="rtos_port",
        form=r"\brtos_port \d{1,6}",
        example="rtos_port 123",
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
        source=_PORT,
    ),
    _old(
        name="old-rtos-debug",
        marks="hdlmacsig|showcritical",
        form=r"\b(?:HdlMacSig|ShowCritical):\d{1,6}",
        example="ShowCritical:1",
        weight=Weight.NORMAL,
        says="lines for debugging",
    ),
    # 3.x: what stops it.
    _new(
        name="isr-context",
        marks="running context",
        form=r"\bCore 0 was running in (?:ISR|NMI) context:",
        example="Core 0 was running in ISR context:",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.EXCEPTION,
            "The firmware crashed in an interrupt",
            "It prints the registers, and no reason.",
        ),
        crash=True,
        versions="3.0 to 3.2",
    ),
    _new(
        name="task-stack",
        marks="task stack total",
        form=(
            r"\bTask stack \[(?P<detail>[^\]]{1,30})\] stack from \[\w{1,10}\] to \[\w{1,10}\], total"
            r" \[\d{1,8}\] size"
        ),
        example="Task stack [main] stack from [0x3fff0a10] to [0x3fff1a00], total [4096] size",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.EXCEPTION,
            "The firmware crashed",
            "It prints the stack of the task that was at work, and the registers. The line above names "
            "the reason, if there is one.",
        ),
        crash=True,
        versions="3.0 to 3.2",
    ),
    _new(
        name="rtos-assert",
        marks="assertion",
        form=(
            r"\bassertion \"(?P<detail>[^\"]{1,160})\" failed: file \"[^\"]{1,160}\", line \d{1,6}(?:,"
            r" function: \S{1,80})?"
        ),
        example='assertion "res == coreID" failed: file "spinlock.c", line 28, function: spinlock_acquire',
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
        source=f"{_COMPONENTS}/newlib",
    ),
    _new(
        name="error-check",
        marks="esp_error_check",
        form=(
            r"\bESP_ERROR_CHECK failed: esp_err_t 0x(?P<code>[0-9a-f]{1,8})(?: \("
            r"(?P<detail>\w{1,60})\))?(?: at 0x[0-9a-f]{8})?"
        ),
        example="ESP_ERROR_CHECK failed: esp_err_t 0x1102 (ESP_ERR_NVS_NOT_FOUND) at 0x40213f5c",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PANIC,
            "The firmware stopped itself: a call of the SDK failed, and the program does not go on "
            "without it",
            "The number in the message names what failed: 0x1101 to 0x1110 the settings in NVS, 0x101 "
            "memory, 0x105 something that was not found, 0x3001 and more the radio. The lines behind it "
            "name file and line.",
            (_ERASE_NVS,),
        ),
        crash=True,
        source=f"{_COMPONENTS}/esp_common/src",
    ),
    _new(
        name="error-noted",
        marks="esp_error_check_without_abort",
        form=r"\bESP_ERROR_CHECK_WITHOUT_ABORT failed: .{1,80}",
        example="ESP_ERROR_CHECK_WITHOUT_ABORT failed: esp_err_t 0x105 (ESP_ERR_NOT_FOUND) at 0x40213f5c",
        weight=Weight.NOTED,
        says=Remark("Line {line} says '{text}': a call of the SDK failed, and the program goes on."),
        source=f"{_COMPONENTS}/esp_common/src",
    ),
    _new(
        name="critical-nesting",
        marks="c",
        form=r"^\s{0,4}E:C:\d{1,5}\s{0,4}$",
        example="E:C:1",
        weight=Weight.FAILS,
        says=CHECK_FAILED,
        crash=True,
        after_loading=True,
        source=_PORT,
    ),
    _new(
        name="gdb-stub",
        marks="entering gdb stub",
        form=r"\bEntering gdb stub now",
        example="Entering gdb stub now.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.EXCEPTION,
            "The firmware crashed, and waits for a debugger.",
            "Line {line} says '{text}'. The lines above name the reason. What follows is for gdb, not for "
            "people.",
            (cure("Attach gdb, or build without the stub, so that it restarts."),),
        ),
        turn=Turn.RESULT,
    ),
    _new(
        name="phy-data",
        marks="phy data partition|phy init data|rf calibration memory",
        form=(
            r"\bPHY data partition not found|\bfailed to validate PHY data partition|"
            r"\bfailed to obtain PHY init data|\bfailed to allocate memory for RF calibration data"
        ),
        example="E (310) phy_init: PHY data partition not found",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.INIT_DATA,
            "The firmware stops: it finds no init data in its partition.",
            "It says '{text}'. This build takes init data from the partition phy_init, which was not "
            "written or is damaged; or memory is short.",
            (
                cure(
                    "Write phy_init_data.bin, which the build made, to its partition, mostly at 0xf000. "
                    "Espressif's own file of init data lacks the marks that this one needs.",
                    actions.flash(PlacedFile("phy_init_data.bin", Unknown.ADDRESS)),
                ),
                cure("Or build the firmware with init data compiled in, and write it.", WRITE),
            ),
        ),
        until_runs=True,
        source=_PHY,
    ),
    _new(
        name="efuse-mac",
        marks="efuse_crc|mac address",
        form=r"\b(?:High MAC CRC|CRC8?) error, efuse_crc = .{1,40}|\bGet mac address error",
        example="E (200) system_api: CRC8 error, efuse_crc = 0x2f; calc_crc = 0x11",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.HARDWARE,
            "The firmware stops: the MAC address in the chip is damaged.",
            "It says '{text}': what the factory wrote into the eFuses does not fit its check.",
            (cure("See which MAC the chip tells.", actions.ask_chip()), cure("Try a better supply.")),
        ),
        until_runs=True,
        source=f"{_COMPONENTS}/esp8266/source/system_api.c",
    ),
    # 3.x: what is worth a word, or nothing.
    _new(
        name="phy-calibration",
        marks="rf calibration falling|saving calibration",
        form=(
            r"\bfailed to load RF calibration data \(0x[0-9a-f]{1,8}\), falling back to full calibration|"
            r"\bsaving new calibration data because of checksum failure"
        ),
        example=(
            "W (299) phy_init: failed to load RF calibration data (0x1102), falling back to full calibration"
        ),
        weight=Weight.NORMAL,
        says="normal at a first start",
        source=_PHY,
    ),
    _new(
        name="phy-nvs",
        marks="nvs initialized|calibration store|cal_data",
        form=(
            r"\bNVS has not been initialized\b|\bstore calibration data failed ?\(0x[0-9a-f]{1,8}\)|"
            r"\bfailed to get cal_data ?\(0x[0-9a-f]{1,8}\)"
        ),
        example=(
            "E (310) phy_init: store_cal_data: NVS has not been initialized. Call nvs_flash_init before "
            "starting WiFi."
        ),
        weight=Weight.NOTED,
        says=Remark(
            "The RF calibration is not kept: the program does not set up NVS first, or NVS is damaged."
        ),
        source=_PHY,
    ),
    _new(
        name="radio-memory",
        marks="rdesc|hwbuf|esf_buf",
        form=r"\brdesc m f\b|\bmalloc hwbuf len:\d{1,6} failed|\besf_buf\.c\b.{0,40}",
        example="malloc hwbuf len:1600 failed",
        weight=Weight.NOTED,
        says=Remark("The radio did not get memory that it asked for: memory is short."),
        source=_WIFI,
    ),
    _new(
        name="freed-null",
        marks="ptr null",
        form=r"\bfree\(ptr=NULL\)",
        example="free(ptr=NULL)",
        weight=Weight.NOTED,
        says=Remark("The program gave back memory that it did not have, which is an error of the program."),
        source=f"{_COMPONENTS}/heap",
    ),
    _new(
        name="fast-boot",
        marks="app bin error|running partition|image head",
        form=(
            r"\bERROR: (?:App bin error, start_addr (?:0x)?[0-9a-f]{1,8} image_len \d{1,10}|"
            r"Fail to get running partition|Fail to read image head from spi flash)"
        ),
        example="E (9000) fast_boot: ERROR: App bin error, start_addr 0x00810000 image_len 983036",
        weight=Weight.NOTED,
        says=Remark(
            "Line {line} says '{text}': the application cannot prepare a fast start of the next run, which "
            "then starts as usual."
        ),
        source=f"{_COMPONENTS}/esp8266/source/esp_fast_boot.c",
        versions="3.4",
    ),
    # 3.x: what shows that the application runs.
    _new(
        name="rtos-start",
        marks="base mac set|phy_init phy ver",
        form=r"\bsystem_api: Base MAC address is not set\b.{0,80}|\bphy_init: phy ver: ?\w{1,16}",
        example="I (300) system_api: Base MAC address is not set, read default base MAC address from BLK0",
        weight=Weight.SPEAKS,
        says="the application sets up the radio",
        source=f"{_COMPONENTS}/esp8266/source/system_api.c",
    ),
    _new(
        name="rtos-address",
        marks="sta ip|got ip",
        form=(
            r"\bI \(\d{1,9}\) (?:tcpip_adapter|"
            r"esp_netif\w{0,12}): sta ip: \d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
        ),
        example="I (4210) tcpip_adapter: sta ip: 192.168.1.17, mask: 255.255.255.0, gw: 192.168.1.1",
        weight=Weight.RUNS,
        says="the chip is in the network",
        source=f"{_COMPONENTS}/tcpip_adapter",
    ),
    _new(
        name="rtos-application",
        marks="i|w",
        form=rf"(?:^|\s)[IW] \(\d{{1,9}}\) (?!{_LOADER_TAGS}:)\w[\w.-]{{0,30}}: ?.{{0,120}}",
        example="I (312) example: hello",
        weight=Weight.SPEAKS,
        says="a line of the application, or of the SDK that it has started",
        source=_PANIC,
        after_loading=True,
        fallback=True,
    ),
)
