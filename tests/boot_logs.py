"""Pieces of boot logs, which tests put together."""

from __future__ import annotations

BANNER = " ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n"
DOWNLOAD = " ets Jan  8 2013,rst cause:2, boot mode:(1,7)\r\n\r\n"
# An image of three segments as the ROM loads it: 28,740, 2,888 and 15,536 bytes.
LOADS = (
    "load 0x40100000, len 28740, room 16 \r\ntail 4\r\nchksum 0xe7\r\n"
    "load 0x3ffe8000, len 2888, room 4 \r\ntail 4\r\nchksum 0xd6\r\n"
    "load 0x3ffe8b50, len 15536, room 4 \r\ntail 12\r\nchksum 0x39\r\n"
)
LOADED = LOADS + "csum 0x39\r\n"
CSUM_ERR = "csum err\r\nets_main.c \r\n"
ZEROS = (
    "load 0x40100000, len 1396, room 16 \r\ntail 4\r\nchksum 0xef\r\n"
    "load 0x00000000, len 0, room 4 \r\ntail 0\r\nchksum 0xef\r\n"
    "ho 12 tail 0 room 4\r\n"
    "load 0x00000000, len 0, room 12 \r\ntail 0\r\nchksum 0xef\r\n"
    "csum 0xef\r\n"
)
LOADER = (
    "\r\n2nd boot version : 1.7(5d6f877)\r\n  SPI Speed      : 40MHz\r\n  SPI Mode       : DIO\r\n"
    "  SPI Flash Size & Map: {map}\r\njump to run user1 @ 1000\r\n\r\n"
)
MB4 = LOADER.format(map="32Mbit(512KB+512KB)")
RF = "rf cal sector: {}\r\nrf[112] : 00\r\nrf[113] : 00\r\nrf[114] : 01\r\n\r\n"
SDK = "SDK ver: 2.0.0(656edbf) compiled @ Jul 19 2016 17:58:40\r\nphy ver: 1055, pp ver: 10.2\r\n"
INIT = "rf_cal[0] !=0x05,is 0xFF\r\n"
NOISE = "r\xecl\xfe\xfdn\x8cb|\x82\xe0l\x9fb\xe2\xef\xf2\xf3\xfc\xe0\r\n"
NODEMCU_3 = "system SPI FI size:2, Flash size: 1048576\r\n"
