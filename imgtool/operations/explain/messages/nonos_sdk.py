"""What Espressif's non-OS SDK says, 0.9 to 3.0: its start, its memory, its radio.

The byte where init data should begin is judged by :mod:`imgtool.operations.explain.sdk_verdicts`.  Not what
an application says that uses it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, Remark, Unknown, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import INSPECT, WRITE, LogOutcome, Verdict

__all__ = ["ROWS", "TABLE_CURES"]

_SDK: Final = "https://github.com/espressif/ESP8266_NONOS_SDK"
_LIBMAIN: Final = f"{_SDK}/blob/master/lib/libmain.a"
_LIBNET: Final = f"{_SDK}/blob/master/lib/libnet80211.a"
_LIBPHY: Final = f"{_SDK}/blob/master/lib/libphy.a"
_GONE_ON: Final = ("sdk-version",)

TABLE_CURES: Final = (
    cure("See which flash size the header has, and ask the chip for its own.", INSPECT, actions.ask_chip()),
    cure(
        "Write the file again with the size that it was built for; that is never more than the chip has.",
        actions.flash(actions.FileRole.FIRMWARE, size=Unknown.SIZE),
    ),
)
_TABLE: Final = LogOutcome(
    Verdict.PARTITION_TABLE,
    "The firmware stops at its partition table.",
    "It says '{text}': the table of the firmware does not fit the flash size in the image header. Either "
    "the header has a smaller size than the chip, or the firmware is for a larger chip.",
    TABLE_CURES,
)

_sdk = partial(Message, speaker=Speaker.NONOS_SDK, source=_LIBMAIN)
_radio = partial(Message, speaker=Speaker.NONOS_SDK, source=_LIBNET, after_loading=True)

ROWS: Final = (
    # The start.
    _sdk(
        name="sdk-version",
        marks="sdk ver",
        form=r"(?<!-)(?<!OS )\bSDK ver: {0,2}[\w.()-]{1,40}(?: compiled @ [\w :]{1,30})?",
        example="SDK ver: 2.2.1(6ab97e9) compiled @ Jun  7 2018 14:56:28",
        weight=Weight.NORMAL,
        says="the SDK begins, before the application",
        begins=True,
    ),
    _sdk(
        name="sdk-phy",
        marks="phy ver",
        form=r"\bphy ver: {0,2}\w{1,12}, pp ver: {0,2}[\d.]{1,8}",
        example="phy ver: 1136_0, pp ver: 10.2",
        weight=Weight.NORMAL,
        says="the last line of the SDK before the application",
    ),
    _sdk(
        name="sdk-start",
        marks="phy_version|freq trace|rodata|data|bss|heap|w_flash|rtc mem",
        form=(
            r"\bphy_version: {0,2}\S{1,20}(?:,.{1,20}NONOS)?|\bfreq trace enable \d|^\s{0,4}w_flash\s{0,4}$|"
            r"\bdon't use rtc mem data|\b(?:data|rodata|bss|"
            r"heap) {1,3}: 0x[0-9a-f]{8} ~ 0x[0-9a-f]{8}, len: {0,2}\d{1,7}"
        ),
        example="freq trace enable 0",
        weight=Weight.NORMAL,
        says="the SDK begins, before the application",
    ),
    _sdk(
        name="rf-byte",
        marks="rf",
        form=r"\brf\[11[234]\] ?: ?[0-9a-f]{2}\b",
        example="rf[112] : 00",
        weight=Weight.NORMAL,
        says="a byte of init data",
    ),
    Message(
        name="rf-cal",
        speaker=Speaker.NONOS_SDK,
        example="rf cal sector: 1019",
        weight=Weight.NORMAL,
        says="the sector of the RF calibration, mostly the 5th from the end of the flash",
        source=_LIBMAIN,
    ),
    Message(
        name="init-data",
        speaker=Speaker.NONOS_SDK,
        example="rf_cal[0] !=0x05,is 0xFF",
        weight=Weight.NORMAL,
        says="init data is not where the size in the header puts it; a failure where the SDK goes no further",
        versions="1.5.4.1 to 3.x",
        source=_LIBMAIN,
    ),
    _sdk(
        name="system-param",
        marks="system param error",
        form=r"\bsystem param error\b(?!,)",
        example="system param error",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.SYSTEM_PARAM,
            "The SDK stops: it finds no parameters of its own where it looks for them.",
            "Its parameters are in the last three sectors of the flash, by the size in the image header. "
            "In the threads about this message the header had a larger size than the chip, and these "
            "sectors lay in the firmware. Or something else was written there.",
            (
                cure("See the size of the chip, and that in the header.", actions.ask_chip(), INSPECT),
                cure("Write the file again; that puts the size of the chip into the header.", WRITE),
                cure(
                    "If the sizes agree: blank these sectors; the SDK makes them anew.",
                    actions.erase(Area.SYSTEM_PARAM),
                ),
            ),
        ),
        until_runs=True,
        unless=_GONE_ON,
        versions="0.9 to 1.5, RTOS SDK 1.4, esp-open-rtos",
    ),
    _sdk(
        name="last-param",
        marks="use last saved param",
        form=r"\bsystem param error, ?use last saved param ?!?",
        example="system param error, use last saved param!",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.SYSTEM_PARAM,
            "The SDK finds its parameters damaged at every start.",
            "Line {line} says '{text}'. It recovers from that once; here it comes again and again, so "
            "what stands in the last sectors of the flash is not the SDK's: mostly the header has another "
            "size than the chip.",
            (
                cure("See the size of the chip, and that in the header.", actions.ask_chip(), INSPECT),
                cure(
                    "If the sizes agree: blank these sectors; the SDK makes them anew.",
                    actions.erase(Area.SYSTEM_PARAM),
                ),
            ),
        ),
        once=Remark(
            "The SDK found its newest parameters damaged, mostly as power was lost while it wrote them, "
            "and took the ones before; nothing is to be done."
        ),
        versions="1.5.4 and later",
    ),
    # Partition tables of SDK 3.
    _sdk(
        name="mismatch",
        marks="spi_size_map",
        form=r"\bmismatch map {0,2}(?P<map>\d{1,2}), ?spi_size_map {0,2}(?P<size_map>\d{1,2})\b",
        example="mismatch map 5,spi_size_map 4",
        weight=Weight.NORMAL,
        says=(
            "the firmware was built for another flash size than the header states; a failure where it "
            "goes no further"
        ),
        versions="3.0 and later",
    ),
    _sdk(
        name="table-too-large",
        marks="partition table size larger",
        form=r"\bThe partition table size is larger than flash size",
        example="The partition table size is larger than flash size",
        weight=Weight.FAILS,
        says=_TABLE,
        unless=_GONE_ON,
        until_runs=True,
        versions="3.0 and later",
    ),
    _sdk(
        name="table-failed",
        marks="system_partition_table_regist",
        form=r"\bsystem_partition_table_regist fail\b",
        example="system_partition_table_regist fail",
        weight=Weight.FAILS,
        says=_TABLE,
        unless=_GONE_ON,
        until_runs=True,
        versions="3.0 and later",
        source=f"{_SDK}/blob/master/examples/IoT_Demo/user/user_main.c",
    ),
    _sdk(
        name="table-entry",
        marks="partition|ota|boot set|covered|param partition",
        form=(
            r"\b(?:system param|ota[12]|AT parameter) partition error|"
            r"\bp {0,2}\d{1,3} size 0x[0-9a-f]{1,8} ?, ?0x[0-9a-f]{1,8} err\b|"
            r"\bp {0,2}\d{1,3} and p {0,2}\d{1,3} covered: |\bpartition 0x[0-9a-f]{1,8} size is \d|"
            r"\bplease check partition type \d{1,3} addr:\w{1,10} len:"
        ),
        example="ota1 partition error",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.PARTITION_TABLE,
            "The firmware stops at its partition table.",
            "Line {line} says '{text}': the table that the program registers with the SDK does not fit "
            "the flash. It must be built for the size of the flash; Espressif's examples know none of 512 "
            "KB.",
            TABLE_CURES,
        ),
        unless=_GONE_ON,
        until_runs=True,
        versions="3.0 and later",
        source=f"{_SDK}/issues/372",
    ),
    _sdk(
        name="boot-not-set",
        marks="boot not set|ota not set",
        form=r"\b(?:boot|ota1|ota2) not set\b",
        example="boot not set",
        weight=Weight.NORMAL,
        says="the partition table has no boot loader, or no slot; NodeMCU has none",
        versions="3.0 and later",
        source="seen by running the firmware",
        after_loading=True,
    ),
    _sdk(
        name="needs-loader",
        marks="need boot",
        form=r"\bneed boot 1\.4\+|\bfailed: need boot >= 1\.3",
        example="need boot 1.4+",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.BAD_IMAGE,
            "The firmware needs a newer boot loader.",
            "Line {line} says '{text}': the boot loader at 0 is older than the SDK of the application "
            "allows.",
            (
                cure(
                    "Write the boot loader 1.7 that comes with the SDK.",
                    actions.flash(actions.PlacedFile(actions.FileRole.BOOT_LOADER, 0)),
                ),
            ),
        ),
        until_runs=True,
    ),
    # The chip.
    _sdk(
        name="not-esp8266",
        marks="only supports|empty otp",
        form=r"\bFirmware ONLY supports ESP8266|\bempty otp\b",
        example="Firmware ONLY supports ESP8266!!!",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.HARDWARE,
            "The SDK stops: it cannot read what the factory wrote into the chip.",
            "Line {line} says '{text}': the eFuses read as nothing. The chip is damaged, no ESP8266, or "
            "its supply is weak.",
            (
                cure("See whether the chip tells its model and MAC.", actions.ask_chip()),
                cure("Try a better supply."),
            ),
        ),
    ),
    _sdk(
        name="phy-error",
        marks="pll_cal|phy register error",
        form=r"\berror: pll_cal exceeds 2ms|\bphy register error\b",
        example="error: pll_cal exceeds 2ms!!!",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.HARDWARE,
            "The radio of the chip cannot be set up.",
            "Line {line} says '{text}', start after start: the crystal, the supply or the part behind the "
            "antenna is bad, or the firmware was built for another crystal.",
            (
                cure("Try a better supply."),
                cure("Take a build for the crystal of the board: 26 MHz on nearly all."),
            ),
        ),
        once=Remark(
            "The radio could not be set up at once: mostly a weak supply, or another crystal than 26 MHz."
        ),
        source=_LIBPHY,
    ),
    _sdk(
        name="no-qio",
        marks="qio",
        form=r"\bQIO INIT ERR|\bConfig Qio Mode Fail",
        example="QIO INIT ERR!!",
        weight=Weight.NOTED,
        says=Remark(
            "The flash chip did not take the mode qio. Write the file again in a mode that needs fewer "
            "lines.",
            (actions.flash(actions.FileRole.FIRMWARE, mode="dio"),),
        ),
        versions="2.0 and later",
    ),
    _sdk(
        name="flash-part",
        marks="qio|patch th25q|gd25q32c|correct flash|backup default",
        form=(
            r"\bFlash is already QIO|\bQIO INIT OK|\bINFO: Patch for TH25Q16HB|"
            r"\bGD25Q32C\b(?! Config Qio Mode Fail)|\bcorrect flash map\b|\bBackup default \d"
        ),
        example="QIO INIT OK!",
        weight=Weight.NORMAL,
        says="the SDK knows the flash chip",
        after_loading=True,
    ),
    _sdk(
        name="flash-access",
        marks="spi_flash_read_status|sec|want erase",
        form=(
            r"\bspi_flash_read_status err\b|\bsec [0-9a-f]{1,8} error\b|"
            r"\bwarn: want to erase error sec \d"
        ),
        example="sec 3fc error",
        weight=Weight.NOTED,
        says=Remark(
            "The firmware reads or erases where the flash of its header has nothing: mostly the header "
            "has another size than the chip.",
            (actions.ask_chip(), INSPECT),
        ),
        versions="2.0 and later",
        after_loading=True,
    ),
    # Memory, and how the program uses the SDK.
    _sdk(
        name="no-partitions",
        marks="e:m|m",
        form=r"\bE:M -1\b",
        example="E:M -1",
        weight=Weight.NORMAL,
        says="what SDK 3 asks for where it has no partition table",
        versions="3.0 and later",
        source="seen by running the firmware",
    ),
    _sdk(
        name="heap",
        marks="m|heap available",
        form=r"\bE:M (?P<heap>\d{1,10})\b|\bNo heap available, failed to malloc (?P<old_heap>\d{1,10})",
        example="E:M 1576",
        weight=Weight.NORMAL,
        says="a request for that many bytes of memory failed; the reason of a crash behind it",
        versions="0.9.5 and later",
        source=f"{_SDK}/tree/master/lib",
    ),
    _sdk(
        name="oom",
        marks="oom|malloc",
        form=(
            r":oom\((?P<oom>\d{1,10})\)@(?P<oom_place>\S{1,100})|"
            r"\bF:\S{1,60} L:\d{1,6} malloc \d{1,8} @ [0-9a-f]{8}"
        ),
        example=":oom(1460)@ClientContext.cpp:120",
        weight=Weight.NORMAL,
        says="a request for memory failed, and where",
        source="https://github.com/esp8266/Arduino/blob/master/cores/esp8266/heap.cpp",
    ),
    _sdk(
        name="mem-check",
        marks="mem check fail",
        form=r"\bMEM CHECK FAIL",
        example="MEM CHECK FAIL!!!",
        weight=Weight.NOTED,
        says=Remark("The SDK found its memory overwritten: the program writes behind the end of something."),
        source="reports of users",
    ),
    _sdk(
        name="freed-twice",
        marks="already freed|vportfree",
        form=r"\b(?:0x)?[0-9a-f]{6,8} already freed|\bvPortFree \d{1,6} line assert fail",
        example="3fff1a28 already freed",
        weight=Weight.NOTED,
        says=Remark("The program gave memory back twice, which is an error of the program."),
        versions="1.5 and later",
        after_loading=True,
    ),
    _sdk(
        name="sdk-misuse",
        marks="prio|queue error|deferred func|timer cb null|exceed max",
        form=(
            r"\berr: (?:task|post) prio < \d|\berr: task queue error|"
            r"\bDEFERRED FUNC NUMBER IS BIGGER THAN \d|\btimer:(?:0x)?[0-9a-f]{1,8} cb is null|"
            r"\berr\d{1,4},exceed max time value"
        ),
        example="err: task queue error",
        weight=Weight.NOTED,
        says=Remark("Line {line} says '{text}': the program uses the SDK wrongly."),
        after_loading=True,
    ),
    _sdk(
        name="ota-failed",
        marks="sumlen|bin file|img_crc|content-length",
        form=(
            r"\berror bin file\b|\bget bin sumlen failed|\bflash_crc = \w{1,10}, ?img_crc = \w{1,10}|"
            r"\bContent-Length: failed"
        ),
        example="get bin sumlen failed",
        weight=Weight.NOTED,
        says=Remark("An update over the network did not take; the firmware before it goes on."),
        source=f"{_SDK}/blob/master/lib/libupgrade.a",
        after_loading=True,
    ),
    _sdk(
        name="ota-sdk",
        marks="upgrade download",
        form=r"\bupgrade file download (?:start|finished)",
        example="upgrade file download start.",
        weight=Weight.RUNS,
        says="an update is loaded over the network",
        source=f"{_SDK}/blob/master/lib/libupgrade.a",
    ),
    # The radio: its tasks run only where the application does.
    _radio(
        name="address",
        marks="ip",
        form=r"\bip: ?(?P<ip>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}), ?mask:",
        example="ip:192.168.1.17,mask:255.255.255.0,gw:192.168.1.1",
        weight=Weight.RUNS,
        says="the chip is in the network",
        after_loading=False,
    ),
    _radio(
        name="radio-state",
        marks="state",
        form=r"\bstate: (?P<from>\d) -> (?P<to>\d) \((?P<state>[0-9a-f]{1,4})\)",
        example="state: 3 -> 5 (10)",
        weight=Weight.RUNS,
        says="the way into the wireless network",
        after_loading=False,
    ),
    _radio(
        name="radio",
        marks="scandone|connected channel|dhcp client|dhcp server|fpm|pm open",
        form=(
            r"\bscandone\b|\bconnected with .{1,40}, channel \d{1,2}|\bdhcp client start|"
            r"\bdhcp server start:|\bfpm (?:open,type:\d|close) \d|\bpm open(?:,type:\d)?(?: \d)?|"
            r"\bpm close \d"
        ),
        example="dhcp client start...",
        weight=Weight.RUNS,
        says="the tasks of the radio run",
        after_loading=False,
    ),
    _radio(
        name="radio-mode",
        marks="mode|add|del|bcn|usl|sleep",
        form=(
            r"\bmode : (?:sta|softAP|null)\b.{0,60}|\b(?:add|del) if\d|^\s{0,4}bcn \d{1,3}\s{0,2}$|"
            r"^\s{0,4}usl\s{0,2}$|\bsleep enable,type: ?\d|\bforce slp enable"
        ),
        example="mode : sta(5c:cf:7f:00:11:22)",
        weight=Weight.SPEAKS,
        says="the radio is set up, which is done before the application's start is over",
        after_loading=False,
    ),
    _radio(
        name="radio-details",
        marks="aid|cnt|add|rm|uncnt|sul|chg_a|lmacrxblk|tx error|connection|station|reconnect|disassoc",
        form=(
            r"^\s{0,4}(?:aid \d{1,3}|cnt|add \d{1,3}|rm \d{1,3}|rm match|rm mis|uncnt|"
            r"sul \d{1,3} \d{1,3}|reconnect|max connection!|f r?-?\d{1,5},? ?)\s{0,2}$|\bchg_A3:-?\d|"
            r"\bLmacRxBlk:\d|\btx error 0x[0-9a-f]|\bstation: [0-9a-f:]{17} (?:join|leave), AID = \d|"
            r"\bap_probe_send over, rest wifi status to disassoc"
        ),
        example="aid 2",
        weight=Weight.NORMAL,
        says="details of the radio, all harmless",
    ),
    _radio(
        name="radio-absent",
        marks="found reconnect",
        form=r"\bno (?P<ssid>\S{1,40}) found, reconnect after \d{1,4}s",
        example="no home found, reconnect after 1s",
        weight=Weight.NOTED,
        says=Remark("The wireless network was not found: a wrong name, too far away, or not on 2.4 GHz."),
        after_loading=False,
    ),
    _radio(
        name="radio-refused",
        marks="auth fail|auth failed|auth failure|assoc fail|assoc failed|handshake",
        form=r"\bauth fail\w{0,4}\b|\bassoc fail\w{0,4}\b|\b4-?way handshake (?:fail|time-?out)\w{0,4}\b",
        example="auth fail",
        weight=Weight.NOTED,
        says=Remark("The access point refused the chip: mostly a wrong password."),
    ),
    _radio(
        name="radio-lost",
        marks="bcn_timout|bcn_timeout|beacon timeout",
        form=r"\bbcn_timo?e?ut\b(?:,ap_probe_send_start)?|\bbeacon timeout\b",
        example="bcn_timout,ap_probe_send_start",
        weight=Weight.NOTED,
        says=Remark("The access point was no longer heard: too far away, switched off, or a weak supply."),
        after_loading=False,
    ),
    # Arduino's event, and what sketches print of it.
    Message(
        name="radio-reason",
        speaker=Speaker.ANY,
        marks="reason",
        form=r"(?:[Dd]isconnect|[Ww]i-?[Ff]i|lost).{0,60}\b[Rr]eason ?[:=]? ?(?P<radio_reason>20[0-4])\b",
        example="WiFi lost connection. Reason: 201",
        weight=Weight.NORMAL,
        says="why the wireless network was left: 200 not heard, 201 not found, 202 to 204 refused",
        source=f"{_SDK}/blob/master/include/user_interface.h",
        after_loading=True,
    ),
)
