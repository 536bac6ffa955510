"""Whole boot logs, written from the forms of the messages that docs/how-to/boot-logs.md names sources of.

Each with its verdict, words that the explanation must have, commands that it must or must not have, and
what a
prefix of it may come to besides its own verdict and the ones that say that a log tells too little.
"""

from __future__ import annotations

from typing import NamedTuple

from imgtool.operations.explain.values import Verdict
from tests.boot_logs import (
    BANNER,
    CSUM_ERR,
    DOWNLOAD,
    INIT,
    LOADED,
    LOADER,
    LOADS,
    MB4,
    NODEMCU_3,
    NOISE,
    RF,
    SDK,
    ZEROS,
)

__all__ = ["CASES", "LogCase"]


class LogCase(NamedTuple):
    """A log and what explain must say of it."""

    name: str
    log: str
    verdict: Verdict
    words: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    also: tuple[Verdict, ...] = ()


EBOOT = "load 0x4010f000, len 3584, room 16 \r\ntail 0\r\nchksum 0xb4\r\ncsum 0xb4\r\nv2843a5ac\r\n~ld\r\n"
ARDUINO = BANNER + EBOOT
HUNG = BANNER.replace("cause:2", "cause:4") + "wdt reset\r\n"
SLEPT = BANNER.replace("cause:2", "cause:5")
CUT = "\r\n--------------- CUT HERE FOR EXCEPTION DECODER ---------------\r\n"
HELLO = "\r\nHello from the sketch\r\nconnecting ....\r\n"
NODEMCU = (
    "\r\nNodeMCU 3.0.0.0 built on nodemcu-build.com provided by frightanic.com\r\n\tbranch: release\r\n"
    "\tmodules: file,gpio,net,node,tmr,uart,wifi\r\n"
    " build 2021-05-10 20:24 powered by Lua 5.1.4 on SDK 3.0.1-dev(fce080e)\r\n"
)
OLD_NODEMCU = "\r\nNodeMCU 0.9.6 build 20150704  powered by Lua 5.1.4\r\n"
STACK = (
    "\r\n>>>stack>>>\r\n\r\nctx: {ctx}\r\nsp: 3ffffdb0 end: 3fffffc0 offset: 0190\r\n"
    "3fffff40:  00000000 3fffff60 402103f4 3ffee480  \r\n"
    "3fffff50:  feefeffe 40201c55 3ffee394 40202138 <\r\n"
    "3fffff60:  3fffdad0 00000000 40100e4d 4000050c  \r\n"
    "<<<stack<<<\r\n"
)


def registers(epc1: int, excvaddr: int = 0, *, comma: bool = False) -> str:
    """The registers as the Arduino core prints them, or the SDK."""
    between = ", " if comma else " "
    values = (("epc1", epc1), ("epc2", 0), ("epc3", 0), ("excvaddr", excvaddr), ("depc", 0))
    return between.join(f"{name}=0x{value:08x}" for name, value in values) + "\r\n"


def arduino(number: int, epc1: int, excvaddr: int = 0, ctx: str = "cont") -> str:
    """A crash of the Arduino core."""
    head = f"{CUT}\r\nException ({number}):\r\n{registers(epc1, excvaddr)}"
    return head + STACK.format(ctx=ctx) + CUT


def fatal(number: int, epc1: int, excvaddr: int = 0) -> str:
    """A crash as the SDK prints it."""
    return f"Fatal exception ({number}): \r\n{registers(epc1, excvaddr, comma=True)}"


ELF = "imgtool explain --elf FIRMWARE.elf LOG"
PAIR = "imgtool inspect 0x00000.bin 0x10000.bin"
READ_FIRMWARE = "imgtool monitor -b 115200 --log boot.log"
FLASHES = ("imgtool flash FILE", "imgtool flash -fm dout -ff 40m FILE")
RTOS = (
    "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.\r\n"
    "Core 0 register dump:\r\n"
    "PC      : 0x401013b4  PS      : 0x00000030  A0      : 0x40227a43  A1      : 0x3ffedf00  \r\n"
    "A2      : 0x3ffedb4c  A3      : 0x3ffedf70  A4      : 0x00000000  A5      : 0x401064ec  \r\n"
    "A14     : 0x00000003  A15     : 0x3ffedb48  SAR     : 0x0000001d  EXCCAUSE: 0x0000001c  \r\n"
    "\r\nBacktrace: 0x401013b4:0x3ffedf00 0x40227a43:0x3ffedf00 0x40249225:0x3ffedf10 \r\n"
)
WIFI = (
    "mode : sta(5c:cf:7f:00:11:22)\r\nadd if0\r\nscandone\r\nstate: 0 -> 2 (b0)\r\nstate: 2 -> 3 (0)\r\n"
    "state: 3 -> 5 (10)\r\nadd 0\r\naid 2\r\ncnt \r\n\r\nconnected with home, channel 6\r\n"
    "dhcp client start...\r\nip:192.168.1.17,mask:255.255.255.0,gw:192.168.1.1\r\n"
)

RTOS_LOADER = (
    BANNER
    + LOADED
    + "I (81) boot: ESP-IDF v3.3-rc1 2nd stage bootloader\r\nI (124) boot: SPI Flash Size : 4MB\r\n"
    "I (171) boot:  0 nvs              WiFi data        01 02 00009000 00004000\r\nI (287) boot: End of "
    "partition table\r\n"
)

CASES = (
    # The firmware runs.
    LogCase("SDK runs", BANNER + LOADED + MB4 + RF.format(1019) + SDK + WIFI, Verdict.RUNS, never=FLASHES),
    LogCase("NodeMCU alone", NODEMCU + "> ", Verdict.RUNS, ("cannot be read",), never=FLASHES),
    LogCase(
        "NodeMCU, first start",
        BANNER
        + LOADED
        + "Formatting file system. Please wait...\r\n"
        + NODEMCU
        + "cannot open init.lua: \r\n> ",
        Verdict.RUNS,
        ("once",),
        never=("imgtool erase filesystem",),
    ),
    LogCase(
        "NodeMCU 0.9 adjusts",
        BANNER + LOADED + "Self adjust flash size.\r\n" + BANNER + LOADED + OLD_NODEMCU,
        Verdict.RUNS,
    ),
    LogCase(
        "LFS was loaded",
        BANNER + LOADED + "Erasing LFS from flash addr 0x0ae000.....\r\nLFS image loaded\r\n" + NODEMCU,
        Verdict.RUNS,
    ),
    LogCase(
        "no network",
        ARDUINO + "scandone\r\nno home found, reconnect after 1s\r\n",
        Verdict.RUNS,
        ("not found",),
    ),
    LogCase(
        "wrong password",
        ARDUINO
        + "scandone\r\nstate: 0 -> 2 (b0)\r\nstate: 2 -> 3 (0)\r\nstate: 3 -> 5 (10)\r\nstate: 5 -> 0 "
        "(f)\r\n",
        Verdict.RUNS,
        ("wrong password",),
    ),
    LogCase(
        "authentication expired",
        ARDUINO + "scandone\r\nstate: 0 -> 2 (b0)\r\nstate: 2 -> 0 (200)\r\nreconnect\r\n",
        Verdict.RUNS,
        ("not answered in time",),
    ),
    LogCase(
        "updated",
        ARDUINO.replace("v2843a5ac\r\n~ld", "@cp:0\r\nld") + HELLO,
        Verdict.SPEAKS,
        ("which worked",),
    ),
    LogCase(
        "little memory",
        ARDUINO + HELLO + "E:M 1576\r\nE:M 1576\r\nMQTT failed\r\n",
        Verdict.SPEAKS,
        ("1576", "decides nothing"),
    ),
    LogCase(
        "last parameters",
        BANNER + LOADED + "system param error, use last saved param!\r\n" + SDK + WIFI,
        Verdict.RUNS,
        ("nothing is to be done",),
    ),
    LogCase("wakes up", (SLEPT + LOADED + NODEMCU) * 4, Verdict.RUNS, ("deep sleep",), never=FLASHES),
    LogCase(
        "wakes up after power-on",
        BANNER + LOADED + NODEMCU + (SLEPT + LOADED + NODEMCU) * 4,
        Verdict.RUNS,
        ("deep sleep",),
        never=FLASHES,
    ),
    LogCase("download", DOWNLOAD, Verdict.DOWNLOAD, commands=("imgtool id --reset none",)),
    LogCase("other mode", BANNER.replace("(3", "(7") + "waiting for host\r\n", Verdict.STRAPS),
    # It does not load.
    LogCase("damaged", BANNER + LOADED + CSUM_ERR, Verdict.BAD_IMAGE, commands=("imgtool verify FILE",)),
    LogCase("zeros", BANNER + ZEROS + CSUM_ERR, Verdict.BAD_IMAGE, commands=("imgtool flash -fm dout FILE",)),
    LogCase(
        "erased",
        BANNER + "ets_main.c \r\n",
        Verdict.NO_IMAGE,
        commands=("imgtool read 0 0x10000 -o head.bin",),
    ),
    LogCase(
        "no slot",
        BANNER + LOADED + MB4 + "error magic!\r\nbackup boot failed.\r\n\r\nuser code done\r\n",
        Verdict.NO_IMAGE,
        commands=("imgtool flash 0x1000 user1.bin",),
    ),
    # It stops by itself, once loaded.
    LogCase("init data", BANNER + LOADED + RF.format(1019) + INIT, Verdict.INIT_DATA, ("0x3fc000",)),
    LogCase(
        "512 KB",
        BANNER + LOADED + "Flash size (524288) too small to support NodeMCU\r\n",
        Verdict.TOO_SMALL_FLASH,
        commands=("imgtool id",),
    ),
    LogCase(
        "alignment",
        BANNER + LOADED + NODEMCU_3 + "Partition 2 invalid alignment\r\n",
        Verdict.PARTITION_TABLE,
    ),
    LogCase(
        "RTOS SDK without a table",
        BANNER + LOADED + "E (63) boot: load partition table error!\r\nuser code done\r\n",
        Verdict.PARTITION_TABLE,
        ("0x8000",),
        ("imgtool flash 0x8000 partitions.bin",),
    ),
    LogCase(
        "parameters",
        BANNER + LOADED + "system param error\r\n0f 04 3c 00 00 06 6b 01 42 00 00 00 08 17 6c 65\r\n",
        Verdict.SYSTEM_PARAM,
        ("larger size than the chip",),
        ("imgtool id", "imgtool erase system-param"),
    ),
    # Exceptions.
    LogCase(
        "irom is garbage",
        (BANNER + LOADED + fatal(0, 0x4024_11B4)) * 3,
        Verdict.EXCEPTION,
        ("illegal instruction", "0x402411b4", "0x10000.bin is missing", "3 of 3 boots"),
        (PAIR, *FLASHES, "imgtool verify FILE"),
    ),
    LogCase(
        "crash at once, again and again",
        BANNER + LOADED + fatal(28, 0x4024_3016, 0xEB) * 12,
        Verdict.EXCEPTION,
        ("load prohibited", "null", "12 crashes"),
        (PAIR, ELF),
    ),
    LogCase(
        "null pointer",
        ARDUINO + HELLO + arduino(28, 0x4021_03F4, 0x0000_0018),
        Verdict.EXCEPTION,
        ("exception 28", "0x402103f4 (flash", "0x00000018", "null"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "wild pointer",
        ARDUINO + HELLO + arduino(29, 0x4010_0384, 0x3631_3233),
        Verdict.EXCEPTION,
        ("store prohibited", "the text '3216'", "RAM for code"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "byte read of flash",
        ARDUINO + HELLO + arduino(3, 0x4000_C0A0, 0x4023_5131),
        Verdict.EXCEPTION,
        ("PROGMEM", "0x40235131 (flash", "the boot ROM"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "unaligned",
        ARDUINO + HELLO + arduino(9, 0x4020_7F3A, 0x3FFE_E5A1),
        Verdict.EXCEPTION,
        ("multiple of 4",),
    ),
    LogCase(
        "division",
        ARDUINO + HELLO + arduino(0, 0x4000_DCE5),
        Verdict.EXCEPTION,
        ("division by zero", "ROM's division"),
        (ELF,),
        FLASHES,
    ),
    LogCase("division by number", ARDUINO + HELLO + arduino(6, 0x4000_DCE5), Verdict.EXCEPTION, ("by 0",)),
    LogCase(
        "null function",
        ARDUINO + HELLO + arduino(20, 0x0000_0000),
        Verdict.EXCEPTION,
        ("jumped to 0x00000000", "callback"),
        (ELF,),
    ),
    LogCase(
        "fetch error",
        ARDUINO + HELLO + arduino(2, 0x5F72_6573, ctx="sys"),
        Verdict.EXCEPTION,
        ("'ser_'", "ctx: sys"),
    ),
    LogCase("rare", ARDUINO + HELLO + arduino(24, 0x4020_1000), Verdict.EXCEPTION, ("This number is rare",)),
    LogCase(
        "named",
        ARDUINO
        + HELLO
        + "Fatal exception 28(LoadProhibitedCause):\r\n"
        + registers(0x4021_62F3, 4, comma=True),
        Verdict.EXCEPTION,
        ("load prohibited", "0x402162f3"),
        (ELF,),
    ),
    LogCase(
        "RTOS SDK",
        BANNER + LOADED + "I (10) app: start\r\n" + RTOS,
        Verdict.EXCEPTION,
        ("0x401013b4",),
        (ELF,),
    ),
    LogCase(
        "runs since",
        ARDUINO + HELLO + arduino(28, 0x4021_03F4) + ARDUINO + HELLO,
        Verdict.EXCEPTION,
        ("was started once since", "no cure"),
    ),
    LogCase(
        "no memory before",
        ARDUINO + HELLO + arduino(29, 0x4021_03F4, 4) + "last failed alloc call: 40207B82(1460)\r\n",
        Verdict.EXCEPTION,
        ("too little free memory", "1,460 bytes"),
    ),
    LogCase(
        "told afterwards",
        ARDUINO + "Fatal exception:29 flag:2 (EXCEPTION) epc1:0x402103f4 epc2:0x00000000 epc3:0x00000000 "
        "excvaddr:0x00000018 depc:0x00000000\r\n" + HELLO,
        Verdict.EXCEPTION,
        ("in the run before", "store prohibited"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "reason and registers",
        BANNER + LOADED + SDK + "reset reason: 2\r\n" + fatal(28, 0x4021_03F4, 4) + HELLO,
        Verdict.EXCEPTION,
        ("in the run before",),
        never=FLASHES,
    ),
    # Watchdogs.
    LogCase(
        "software watchdog",
        ARDUINO + HELLO + CUT + "\r\nSoft WDT reset\r\n" + STACK.format(ctx="cont") + CUT,
        Verdict.WATCHDOG,
        ("software watchdog", "yield()"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "software watchdog, newer core",
        ARDUINO
        + HELLO
        + CUT
        + "\r\nSoft WDT reset\r\n\r\nException (4):\r\n"
        + registers(0x4010_0249)
        + STACK.format(ctx="cont"),
        Verdict.WATCHDOG,
        ("0x40100249",),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "hardware watchdog",
        BANNER + LOADED + NODEMCU + "> " + HUNG + LOADED + NODEMCU,
        Verdict.WATCHDOG,
        ("hardware watchdog", "no dump"),
        (READ_FIRMWARE,),
    ),
    LogCase(
        "hung again and again",
        (HUNG + LOADED + SDK) * 3,
        Verdict.BOOT_LOOP,
        ("watchdog",),
        also=(Verdict.WATCHDOG,),
    ),
    LogCase(
        "watchdog told",
        ARDUINO + "Reset reason: Hardware Watchdog\r\n" + HELLO,
        Verdict.WATCHDOG,
        ("in the run before",),
    ),
    LogCase(
        "watchdog told, and it runs now",
        ARDUINO + "Reset reason: Hardware Watchdog\r\n" + HELLO + WIFI,
        Verdict.RUNS,
        ("how the run before ended",),
        also=(Verdict.WATCHDOG,),
    ),
    LogCase(
        "task watchdog",
        BANNER + LOADED + "I (20) app: start\r\nTask watchdog got triggered.\r\n\r\n",
        Verdict.WATCHDOG,
        ("RTOS",),
    ),
    # Panics.
    LogCase(
        "Lua panic",
        BANNER
        + LOADED
        + NODEMCU
        + "PANIC: unprotected error in call to Lua API (init.lua:30: attempt to index global 'bit' "
        "(a nil value))\r\n" + BANNER + LOADED,
        Verdict.PANIC,
        ("(a nil value)'", "'bit' is not there", "built without"),
        ("imgtool inspect FILE", "imgtool erase filesystem"),
        FLASHES,
    ),
    LogCase(
        "Lua panic by an argument",
        NODEMCU
        + "PANIC: unprotected error in call to Lua API (app.lua:12: bad argument #2 to 'write' (number "
        "expected, got nil))\r\n",
        Verdict.PANIC,
        ("app.lua:12",),
        never=(*FLASHES, "imgtool inspect FILE"),
    ),
    LogCase(
        "assertion",
        ARDUINO
        + HELLO
        + CUT
        + "\r\nPanic core_esp8266_main.cpp:133 __yield: Assertion 'cont_can_yield(g_pcont)' failed.\r\n"
        + STACK.format(ctx="sys"),
        Verdict.PANIC,
        ("core_esp8266_main.cpp:133", "cont_can_yield"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "abort",
        ARDUINO + HELLO + CUT + "\r\nAbort called\r\n" + STACK.format(ctx="cont"),
        Verdict.PANIC,
        ("abort()",),
        (ELF,),
    ),
    LogCase(
        "old core",
        ARDUINO + HELLO + "\r\nUser exception (panic/abort/assert)\r\n" + STACK.format(ctx="cont"),
        Verdict.PANIC,
        commands=(ELF,),
    ),
    LogCase(
        "stack overflow",
        ARDUINO
        + HELLO
        + CUT
        + "\r\nStack overflow detected.\r\n\r\nException (5):\r\n"
        + registers(0x4020_1234)
        + STACK.format(ctx="cont"),
        Verdict.PANIC,
        ("stack of the firmware overflowed", "4 KB"),
        (ELF,),
    ),
    LogCase(
        "only a stack", ARDUINO + HELLO + STACK.format(ctx="cont"), Verdict.PANIC, ("not in the log",), (ELF,)
    ),
    # Memory.
    LogCase(
        "C++ out of memory",
        ARDUINO
        + HELLO
        + CUT
        + "\r\nUnhandled C++ exception: OOM\r\n"
        + STACK.format(ctx="cont")
        + "\r\nlast failed alloc call: 40207B82(4096)@String.cpp:12\r\n",
        Verdict.OUT_OF_MEMORY,
        ("4,096 bytes", "String.cpp:12"),
        never=FLASHES,
        also=(Verdict.PANIC,),
    ),
    LogCase(
        "Lua out of memory",
        BANNER
        + LOADED
        + NODEMCU
        + "E:M 520\r\nPANIC: unprotected error in call to Lua API (error loading module 'StaMod' from "
        "file 'StaMod.lua':\r\n\tnot enough memory)\r\n\r\n" + BANNER + LOADED,
        Verdict.OUT_OF_MEMORY,
        ("520 bytes", "LFS"),
        ("imgtool erase filesystem",),
        FLASHES,
    ),
    LogCase(
        "a script without memory",
        NODEMCU + "E:M 2155784\r\nnot enough memory\r\nstack traceback:\r\n\t[C]: in function "
        "'dofile'\r\n\tinit.lua:1: in main chunk\r\n",
        Verdict.OUT_OF_MEMORY,
        ("2,155,784",),
        never=FLASHES,
    ),
    # Scripts.
    LogCase(
        "script error",
        BANNER + LOADED + OLD_NODEMCU + "lua: init.lua:1: attempt to call global 'foo' (a nil value)\r\n> ",
        Verdict.SCRIPT_ERROR,
        ("init.lua:1", "'foo' is not there"),
        ("imgtool inspect FILE",),
        FLASHES,
    ),
    LogCase(
        "script, newer",
        NODEMCU + "Lua error: \tapp.lua:3: module 'x' not found:\r\n",
        Verdict.SCRIPT_ERROR,
        ("app.lua:3",),
    ),
    # Loops and cuts.
    LogCase(
        "supply", (BANNER.replace("cause:2", "cause:1") + LOADED + SDK) * 3, Verdict.BOOT_LOOP, ("supply",)
    ),
    LogCase("cut", BANNER + LOADS, Verdict.UNFINISHED, commands=("imgtool monitor -b 74880 --log boot.log",)),
    LogCase(
        "boot loader only", BANNER + LOADED + LOADER.format(map="8Mbit(512KB+512KB)"), Verdict.UNFINISHED
    ),
    LogCase("noise behind the loading", BANNER + LOADED + NOISE, Verdict.UNFINISHED),
    # Arduino's boot loader names no firmware, and has one file.
    LogCase(
        "crash before the sketch says anything",
        ARDUINO + arduino(0, 0x4020_15B0),
        Verdict.EXCEPTION,
        ("before the sketch says anything", "setup()"),
        (ELF,),
        (PAIR, *FLASHES),
    ),
    LogCase(
        "no application",
        (HUNG + EBOOT.replace("v2843a5ac", "vffffffff")) * 3,
        Verdict.BOOT_LOOP,
        ("Probably there is no application",),
        ("imgtool inspect FILE", "imgtool flash FILE"),
        (PAIR,),
        (Verdict.WATCHDOG,),
    ),
    LogCase(
        "hung sketch",
        ARDUINO + HELLO + HUNG + EBOOT + HELLO,
        Verdict.WATCHDOG,
        commands=("imgtool inspect FILE",),
        never=(PAIR,),
    ),
    LogCase(
        "brown-out",
        "".join(BANNER.replace("cause:2", f"cause:{cause}") + EBOOT + HELLO for cause in (1, 2, 4, 1, 1, 2)),
        Verdict.BOOT_LOOP,
        ("change (1, 2, 4)", "supply"),
        never=(PAIR, *FLASHES),
        also=(Verdict.WATCHDOG,),
    ),
    LogCase(
        "formats at every start",
        (BANNER + LOADED + "Formatting file system. Please wait...\r\n") * 3,
        Verdict.BOOT_LOOP,
        ("before it was done",),
    ),
    LogCase(
        "smashed",
        ARDUINO
        + HELLO
        + CUT
        + "\r\nStack smashing detected.\r\n\r\nException (0):\r\n"
        + registers(0x4020_12F1)
        + STACK.format(ctx="cont"),
        Verdict.PANIC,
        ("behind the end of one of its variables",),
        (ELF,),
    ),
    LogCase(
        "words of a stack alone",
        "3ffff160:  3ffef3a4 00000001 3ffee4f0 40201c55  \r\n"
        "3ffff170:  feefeffe feefeffe 3ffee5b0 40202138  \r\n<<<stack<<<\r\n",
        Verdict.PANIC,
        ("Only the stack is there",),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "a script too large",
        NODEMCU + "lua: init.lua:12: not enough memory\r\n> ",
        Verdict.OUT_OF_MEMORY,
        ("init.lua:12",),
        never=FLASHES,
        also=(Verdict.SCRIPT_ERROR,),
    ),
    LogCase(
        "was in the network, and lost it",
        WIFI + "bcn_timout,ap_probe_send_start\r\nstate: 5 -> 0 (1)\r\nrm 0\r\n",
        Verdict.RUNS,
        ("no longer heard",),
        never=FLASHES,
    ),
    LogCase(
        "reason of a sketch",
        ARDUINO + HELLO + "WiFi lost connection. Reason: 201\r\n",
        Verdict.SPEAKS,
        ("the network was not found",),
    ),
    LogCase(
        "RF calibration where init data belongs",
        BANNER + LOADED + RF.format(1020) + INIT,
        Verdict.INIT_DATA,
        commands=("imgtool flash @init-data v05",),
        never=("imgtool erase rf-cal",),
    ),
    LogCase(
        "RTOS SDK without an application",
        BANNER + LOADED + "E (60) esp_image: image at 0x10000 has invalid magic byte\r\n"
        "E (80) boot: No bootable app partitions in the partition table\r\n",
        Verdict.NO_IMAGE,
        commands=("imgtool flash 0x10000 APPLICATION.bin",),
    ),
    LogCase(
        "rBoot without an application",
        BANNER + LOADED + "\r\nrBoot v1.4.2 - richardaburton@gmail.com\r\nFlash Size:   4 Mbit\r\n"
        "Rom 0 is bad.\r\nRom 1 is bad.\r\nNo good rom available.\r\nuser code done\r\n",
        Verdict.NO_IMAGE,
        ("0x2000",),
        commands=("imgtool flash ADDRESS APPLICATION.bin",),
    ),
    LogCase(
        "MicroPython script",
        BANNER
        + LOADED
        + 'Traceback (most recent call last):\r\n  File "main.py", line 3, in <module>\r\n'
        + "OSError: [Errno 2] ENOENT\r\nMicroPython v1.20.0 on 2023-04-26; ESP module with ESP8266\r\n>>> ",
        Verdict.SCRIPT_ERROR,
        ("OSError: [Errno 2] ENOENT",),
        never=FLASHES,
    ),
    LogCase(
        "MicroPython's files",
        BANNER + LOADED + "The filesystem starting at sector 0x9b with size 0x365 sectors looks corrupt.\r\n",
        Verdict.FILE_SYSTEM,
        ("0x9b",),
        ("imgtool read -o dump.bin", "imgtool erase all"),
    ),
    LogCase(
        "a partition table that does not fit",
        BANNER + LOADED + NODEMCU_3 + "Invalid system partition table\r\n",
        Verdict.PARTITION_TABLE,
        ("'Invalid system partition table'", "smaller size than the chip"),
        ("imgtool id", "imgtool flash flash.bin"),
    ),
    LogCase(
        "a partition table that is too large",
        BANNER
        + LOADED
        + "The partition table size is larger than flash size\r\nsystem_partition_table_regist fail\r\n",
        Verdict.PARTITION_TABLE,
        ("'The partition table size is larger than flash size'",),
        ("imgtool inspect FILE", "imgtool id"),
    ),
    LogCase(
        "a damaged LFS",
        NODEMCU + "LFS image corrupted\r\n> ",
        Verdict.RUNS,
        ("The LFS image is damaged", "imgtool flash @lfs FILE."),
        never=FLASHES,
    ),
    LogCase(
        "refused by the access point",
        BANNER + LOADED + SDK + "mode : sta(5c:cf:7f:00:00:01)\r\nadd if0\r\nscandone\r\nauth fail\r\n",
        Verdict.RUNS,
        ("refused the chip",),
        never=FLASHES,
    ),
    LogCase(
        "repaired",
        BANNER + LOADED + fatal(0, 0x4024_11B4) + DOWNLOAD + BANNER + LOADED + NODEMCU,
        Verdict.RUNS,
        also=(Verdict.EXCEPTION, Verdict.DOWNLOAD),
    ),
    LogCase(
        "16 MB in the header",
        BANNER + LOADED + LOADER.format(map="128Mbit(1024KB+1024KB)") + INIT,
        Verdict.INIT_DATA,
        ("0xffc000", "before 2.1"),
        ("imgtool flash -fs 4MB FILE", "imgtool flash @init-data v05"),
    ),
    # A header that MicroPython's SDK cannot use, in the three ways that it shows.
    LogCase(
        "MicroPython sets the size again and again",
        (
            BANNER
            + LOADED
            + RF.format(1019)
            + "Bootloader Flash size appear to have been set incorrectly, trying to fix\r\n"
        )
        * 2,
        Verdict.FLASH_SIZE,
        ("again and again",),
        ("imgtool flash -fs 4MB FILE",),
        ("imgtool inspect 0x00000.bin 0x10000.bin", "imgtool fullimage --size SIZE -o flash.bin"),
        (Verdict.BOOT_LOOP,),
    ),
    LogCase(
        "MicroPython's init data",
        BANNER + LOADED + "#0 ets_task(40209c10, 31, 3ffe9020, 4)\r\nrf_cal[0] !=0x05,is 0x00\r\n" + BANNER,
        Verdict.FLASH_SIZE,
        ("Init data itself is not the trouble",),
        ("imgtool flash -fs 4MB FILE",),
        ("imgtool flash @init-data v05", "imgtool inspect 0x00000.bin 0x10000.bin"),
        (Verdict.INIT_DATA,),
    ),
    LogCase(
        "NodeMCU reads behind the flash",
        "".join(f"ERROR in flash_read: r=1 at 402{page:02X}000\r\n" for page in range(0x80, 0x8C)),
        Verdict.FLASH_SIZE,
        ("r=1 at 40280000",),
        ("imgtool id",),
    ),
    LogCase(
        "NodeMCU has no room for files",
        "Formatting file system. Please wait...\r\nFormatting: size 0x1000, addr 0x7a000\r\n\r\n"
        "*** ERROR ***: unable to format. FS might be compromised.\r\n" + NODEMCU + "> ",
        Verdict.FILE_SYSTEM,
        ("formatting failed", "1 sector (0x1000 bytes at 0x7a000)"),
        ("imgtool flash FILE",),
        also=(Verdict.UNFINISHED,),
    ),
    LogCase(
        "LFS of another build",
        NODEMCU + "> \r\nLFS region updated.  Restarting.\r\n" + (BANNER + LOADED) * 2,
        Verdict.BOOT_LOOP,
        ("since its LFS was updated",),
        ("imgtool erase lfs", "imgtool flash @lfs FILE"),
        (READ_FIRMWARE,),
    ),
    LogCase(
        "MicroPython's files, old words",
        "The FAT filesystem starting at sector 153 with size 866 sectors appears to\r\nbe corrupted. If "
        "you had\r\n",
        Verdict.FILE_SYSTEM,
        ("sector 153",),
        ("imgtool read -o dump.bin", "imgtool erase all"),
    ),
    LogCase(
        "safe mode",
        ARDUINO
        + "[C][safe_mode:079]: There have been 10 suspected unsuccessful boot attempts\r\n"
        + "[E][safe_mode:086]: Boot loop detected. Proceeding to safe mode\r\n"
        + "[I][app:029]: Running through setup()...\r\n[I][app:062]: setup() finished successfully!\r\n",
        Verdict.SAFE_MODE,
        ("counted 10 starts",),
        never=(PAIR,),
    ),
    LogCase(
        "settings given up again and again",
        (ARDUINO + "00:00:00.080 FRC: Some settings have been reset (3)\r\n") * 2,
        Verdict.SETTINGS,
        ("(3)",),
        also=(Verdict.BOOT_LOOP,),
    ),
    LogCase(
        "the ROM does not know the reset",
        BANNER.replace("cause:2", "cause:7") + "unknown reset\r\nets_main.c\r\n",
        Verdict.HARDWARE,
        ("EN or RST line",),
    ),
    LogCase(
        "a failure that no rule knows",
        BANNER + LOADED + "E (1200) power: the regulator does not answer\r\n",
        Verdict.CANNOT_JUDGE,
        ("Line 13 says 'E (1200) power: the regulator does not answer'",),
    ),
    LogCase(
        "an application across a line of 1 MB",
        RTOS_LOADER + "E (388) boot: ERROR: app bin error, start_addr d0000 image_len 400000\r\n" + BANNER,
        Verdict.PARTITION_TABLE,
        ("0x131a80", "crosses the line of 1 MB at 0x100000", "is cut before it says anything"),
        ("imgtool flash 0x8000 partitions.bin ADDRESS APPLICATION.bin",),
        (PAIR,),
    ),
    LogCase(
        "an application behind 2 MB",
        RTOS_LOADER + "E (388) boot: ERROR: app bin error, start_addr 210000 image_len 400000\r\n",
        Verdict.PARTITION_TABLE,
        ("at or behind 0x200000",),
    ),
    LogCase(
        "the other slot of the RTOS SDK",
        RTOS_LOADER
        + "E (360) esp_image: image at 0x10000 has invalid magic byte\r\n"
        + "E (370) boot: OTA app partition slot 0 is not "
        "bootable\r\nI (400) boot: Loaded app from partition at offset 0x110000\r\nI (520) system_api: "
        "Base MAC address is not set\r\n",
        Verdict.SPEAKS,
        also=(Verdict.NO_IMAGE,),
    ),
    LogCase(
        "rBoot's configuration names no place",
        BANNER
        + LOADED
        + "\r\nrBoot v1.4.2 - author@example.org\r\nFlash Size:   32 Mbit\r\n\r\nResetting boot config.\r\n"
        + "Invalid rom selected, defaulting to 0.\r\nRom 0 at 0 is bad.\r\nRom -1 at 0 is bad.\r\n",
        Verdict.NO_IMAGE,
        ("0x2000", "configuration itself is wrong"),
        ("imgtool flash ADDRESS APPLICATION.bin", "imgtool erase 0x1000 0x1000"),
        (PAIR,),
    ),
    LogCase(
        "rBoot tells the flash size",
        "rBoot v1.4.2 - author@example.org\r\nFlash Size:   8 Mbit\r\n\r\nBooting rom 0 at 2000, load "
        "addr 33e20.\r\n"
        "rf_cal[0] !=0x05,is 0xFF\r\n" + BANNER + LOADS,
        Verdict.INIT_DATA,
        ("0xfc000", "0xfb000"),
        ("imgtool flash @init-data v05",),
        (PAIR,),
    ),
    LogCase(
        "an assertion of FreeRTOS",
        "ESP-Open-SDK ver: 0.0.1 compiled @ May 23 2019 16:48:22\r\nmode : "
        "softAP(02:00:00:00:00:01)\r\n>>> HomeKit: Starting server\r\nrtos assert "
        "/x/FreeRTOS/Source/queue.c 1406\r\nabort() invoked at 0x402048af.\r\n\r\nStack: "
        "SP=0x3fff63e0\r\n0x3fff63e0: 00000000 3fff196c 00000000 402048b2\r\n",
        Verdict.PANIC,
        ("assertion of FreeRTOS", "queue.c 1406"),
        (ELF,),
        FLASHES,
    ),
    LogCase(
        "an interrupt routine in flash",
        STACK.format(ctx="cont") + ARDUINO + "ISR not in IRAM!\r\n\r\nAbort called\r\n",
        Verdict.PANIC,
        ("interrupt routine", "IRAM_ATTR"),
        (ELF,),
    ),
    LogCase(
        "a sketch that says error",
        ARDUINO + "Starting\r\nERROR: sensor not found, assertion level 2, retrying\r\nOK\r\n",
        Verdict.SPEAKS,
        ("decides nothing",),
    ),
    LogCase("a sketch that is ready", ARDUINO + "WIFI CONNECTED\r\nready\r\n", Verdict.SPEAKS),
    LogCase(
        "the best of several reports",
        (ARDUINO + HELLO + arduino(28, 0x4021_03F4, 8)) * 2
        + ARDUINO
        + HELLO
        + CUT
        + "\r\nException (28):\r\n",
        Verdict.EXCEPTION,
        ("0x402103f4", "3 of 3 boots"),
        (ELF,),
    ),
    LogCase(
        "a cut last boot behind one that runs",
        BANNER + LOADED + NODEMCU + "> \r\n" + BANNER + LOADS[:40],
        Verdict.RUNS,
        ("is cut before it says anything",),
    ),
)
