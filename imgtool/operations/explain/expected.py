"""What to expect of a firmware when it starts: at which speed it speaks, and how long its first line takes.

No judgement, and no port.  The boot check of ``flash`` and the cures of ``explain`` go by it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from imgtool.operations.explain.messages.row import Speaker

__all__ = ["Expected", "bauds_of", "expected_of", "speaker_named"]

_ROM: Final = 74_880
_USUAL: Final = 115_200


class Expected(NamedTuple):
    """When and how a firmware speaks.

    Attributes:
        first: Its first line that shows that it runs, in words.
        bauds: The speeds at which it may speak, the likeliest first.
        seconds: From the reset to that line, s.
        longest: The same at a first start, which may make a file system, s.
    """

    first: str
    bauds: tuple[int, ...] = (_USUAL,)
    seconds: float = 3.0
    longest: float = 3.0


# Times: stamps of real logs, and runs on the virtual board (docs/performance.md); the speeds are those of the
# sources that the rows of the messages name.
_ROWS: Final = {
    Speaker.NODEMCU: Expected("its banner and a prompt", (_USUAL, 9600), 2.0, 60.0),
    Speaker.MICROPYTHON: Expected("its banner and '>>>'", seconds=4.0, longest=15.0),
    Speaker.AT: Expected("'ready'", (_USUAL, 9600, 57_600), 2.0, 2.0),
    Speaker.TASMOTA: Expected("a line that begins with 'Project'", seconds=2.0, longest=12.0),
    Speaker.ESPHOME: Expected("'setup() finished successfully!'", seconds=6.0, longest=12.0),
    Speaker.ESPEASY: Expected("'EVENT: System#Boot'", seconds=6.0, longest=15.0),
    Speaker.WLED: Expected("'Ada', or nothing in some builds", seconds=4.0, longest=6.0),
    Speaker.ESPURNA: Expected("'[MAIN]' lines", seconds=3.0, longest=6.0),
    Speaker.ESPRUINO: Expected("its banner and '>'", seconds=3.0, longest=6.0),
    Speaker.ESP_LINK: Expected("'** esp-link ready'", seconds=3.0, longest=6.0),
    Speaker.DEAUTHER: Expected("'STARTED!'", seconds=4.0, longest=60.0),
    Speaker.REPEATER: Expected("'Starting Console TCP Server'", seconds=3.0, longest=6.0),
    Speaker.SMING: Expected("the lines of its application", seconds=3.0, longest=6.0),
    Speaker.MONGOOSE: Expected("'Init done'", seconds=3.0, longest=10.0),
    Speaker.OPEN_RTOS: Expected("the lines of its application", (_USUAL, _ROM), 3.0, 6.0),
    Speaker.HOMEKIT: Expected("'HomeKit: Starting server'", (_USUAL, _ROM), 3.0, 10.0),
    Speaker.HAA: Expected("nothing, unless its log is switched on", (_USUAL, _ROM), 3.0, 6.0),
    Speaker.RTOS_SDK: Expected("a line such as 'I (300) ...' of the application", (_ROM, _USUAL), 2.0, 4.0),
    Speaker.ARDUINO: Expected(
        "whatever the sketch prints, which may be nothing", (_USUAL, 9600, _ROM), 3.0, 10.0
    ),
}
_OTHER: Final = Expected("a line of its own", (_USUAL, 9600, 57_600), 3.0, 5.0)
_MADE_WITH: Final = {
    Speaker.EBOOT: Speaker.ARDUINO,
    Speaker.RTOS_LOADER: Speaker.RTOS_SDK,
    Speaker.HOMIE: Speaker.ARDUINO,
}


def expected_of(speaker: Speaker | None) -> Expected:
    """What to expect of a firmware, of one that is not known where there is no row."""
    return _row_of(speaker) or _OTHER


def bauds_of(speaker: Speaker | None) -> tuple[int, ...]:
    """The speeds at which a firmware may speak, the likeliest first; none where there is no row for it."""
    row = _row_of(speaker)
    return () if row is None else row.bauds


def _row_of(speaker: Speaker | None) -> Expected | None:
    return None if speaker is None else _ROWS.get(_MADE_WITH.get(speaker, speaker))


# How imgtool/formats/firmware.py names a firmware, and who that is in a log.
_NAMED: Final = {
    "NodeMCU": Speaker.NODEMCU,
    "MicroPython": Speaker.MICROPYTHON,
    "CircuitPython": Speaker.MICROPYTHON,
    "ESP8266 AT": Speaker.AT,
    "Tasmota": Speaker.TASMOTA,
    "ESPHome": Speaker.ESPHOME,
    "ESP Easy": Speaker.ESPEASY,
    "ESPurna": Speaker.ESPURNA,
    "WLED": Speaker.WLED,
    "ESP8266 Deauther": Speaker.DEAUTHER,
    "Arduino": Speaker.ARDUINO,
    "ESP8266 RTOS SDK application": Speaker.RTOS_SDK,
    "ESP8266 RTOS SDK boot loader": Speaker.RTOS_SDK,
    "esp-open-rtos": Speaker.OPEN_RTOS,
    "Sming": Speaker.SMING,
}


def speaker_named(name: str) -> Speaker | None:
    """Who a firmware is in a log, by the name that its image has; None where no row knows it."""
    return _NAMED.get(name)
