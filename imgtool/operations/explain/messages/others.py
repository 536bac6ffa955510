"""What other firmware says: Espruino, esp-link, Deauther, esp_wifi_repeater, WiFiManager, vendors.

One or a few rows each; a firmware with more gets a file of its own.  Not what they are made with.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from imgtool.operations import actions
from imgtool.operations.actions import FileRole, Remark, Unknown
from imgtool.operations.explain.messages.row import Message, Speaker, Weight

__all__ = ["ROWS"]

_ESPRUINO: Final = "https://github.com/espruino/Espruino/blob/master"
_ESP_LINK: Final = "https://github.com/jeelabs/esp-link/blob/master/esp-link"
_DEAUTHER: Final = "https://github.com/SpacehuhnTech/esp8266_deauther/blob/v2/esp8266_deauther/language.h"
_REPEATER: Final = "https://github.com/martin-ger/esp_wifi_repeater/blob/master/user"

_espruino = partial(Message, speaker=Speaker.ESPRUINO, source=f"{_ESPRUINO}/src/jsinteractive.c")
_esp_link = partial(Message, speaker=Speaker.ESP_LINK, source=f"{_ESP_LINK}/main.c")
_deauther = partial(Message, speaker=Speaker.DEAUTHER, source=_DEAUTHER)
_repeater = partial(Message, speaker=Speaker.REPEATER, source=f"{_REPEATER}/user_main.c")
_vendor = partial(Message, speaker=Speaker.VENDOR, source="reports of users")

_WRONG_SIZE: Final = (actions.ask_chip(), actions.flash(FileRole.FIRMWARE, size=Unknown.SIZE))

ROWS: Final = (
    # Espruino.
    _espruino(
        name="espruino",
        marks="espruino open|williams",
        form=r"\bEspruino is Open Source\b|\b[12]v\d{2}[\w.]{0,10} \(c\) \d{4} G\.Williams",
        example="Espruino is Open Source.",
        weight=Weight.RUNS,
        says="the banner",
    ),
    _espruino(
        name="espruino-code",
        marks="loading flash",
        form=r"\bLoading \d{1,8} bytes from flash\.{0,3}",
        example="Loading 32 bytes from flash...",
        weight=Weight.RUNS,
        says="saved code is loaded",
        source=f"{_ESPRUINO}/src/jsflash.c",
    ),
    _espruino(
        name="espruino-answer",
        marks="undefined",
        form=r"=undefined",
        example="=undefined",
        weight=Weight.RUNS,
        says="an answer",
        whole=True,
        after_loading=True,
    ),
    _espruino(
        name="espruino-size",
        marks="match flash map",
        form=r"\bYour flash chip does not match your flash map",
        example="WARNING: *** Your flash chip does not match your flash map ***",
        weight=Weight.NOTED,
        says=Remark("The flash size in the header is not that of the chip.", _WRONG_SIZE),
        source=f"{_ESPRUINO}/targets/esp8266/user_main.c",
    ),
    _espruino(
        name="espruino-restart",
        marks="reason",
        form=r"^\s{0,4}reason: {1,5}[123]=\w{1,20}",
        example="  reason:   1=wdt",
        weight=Weight.EARLIER,
        says=Remark("Espruino tells that a watchdog or an exception ended its run before."),
        source=f"{_ESPRUINO}/targets/esp8266/user_main.c",
        after_loading=True,
    ),
    _espruino(
        name="espruino-restart-info",
        marks="restart info|reason",
        form=r"^\s{0,4}Restart info:|^\s{0,4}reason: {1,5}[0456]=\w{1,20}",
        example="Restart info:",
        weight=Weight.NORMAL,
        says="why it started",
        source=f"{_ESPRUINO}/targets/esp8266/user_main.c",
        after_loading=True,
    ),
    # esp-link.
    _esp_link(
        name="esp-link",
        marks="link ready|waiting work",
        form=r"\*\* esp-link (?:.{1,80}?: {0,2})?ready\b.{0,30}|\bWaiting for work to do",
        example="** esp-link ready",
        weight=Weight.RUNS,
        says="it is through with its start",
    ),
    _esp_link(
        name="esp-link-config",
        marks="flash config restore|user file system",
        form=r"\bFlash config restore (?:\*FAILED\*|ok)|\bNo user file system found",
        example="Flash config restore *FAILED*",
        weight=Weight.NORMAL,
        says="there are no saved settings, or no files, which is in order",
        source=f"{_ESP_LINK}/config.c",
    ),
    _esp_link(
        name="esp-link-save",
        marks="save config",
        form=r"\*{3} Failed to save config \*{3}",
        example="*** Failed to save config ***",
        weight=Weight.NOTED,
        says=Remark(
            "esp-link cannot keep its settings: mostly the header has another size than the chip.",
            _WRONG_SIZE,
        ),
        source=f"{_ESP_LINK}/config.c",
    ),
    _esp_link(
        name="esp-link-before",
        marks="reset cause|exccause",
        form=r"\bReset cause: [123]=[a-z]{1,12}(?: [a-z]{1,8})?|\bexccause=(?!0 epc1=0x0\b)\d{1,3} epc1=",
        example="Reset cause: 2=exception",
        weight=Weight.EARLIER,
        says=Remark("The firmware tells that a watchdog or an exception ended its run before."),
    ),
    _esp_link(
        name="esp-link-reset",
        marks="reset cause|exccause",
        form=r"\bReset cause: [0456]=[a-z]{1,12}(?: [a-z]{1,8})?|\bexccause=0 epc1=0x0\b",
        example="Reset cause: 0=normal",
        weight=Weight.NORMAL,
        says="why it started",
    ),
    # Deauther.
    _deauther(
        name="deauther",
        marks="started",
        form=r"STARTED! \\o/.{0,30}",
        example="STARTED! \\o/",
        weight=Weight.RUNS,
        says="it is through with its start",
    ),
    _deauther(
        name="deauther-settings",
        marks="loaded settings|loaded names|loaded ssids|saved settings|settings|names|ssids",
        form=(
            r"\bSettings (?:loaded from|saved in) /settings\.json|\bDevice names loaded from /names\.json|"
            r"\bSSIDs loaded from /ssids\.json"
        ),
        example="Settings loaded from /settings.json",
        weight=Weight.SPEAKS,
        says="it has begun",
    ),
    _deauther(
        name="deauther-files",
        slow=True,
        marks="mounting spiffs|formatting spiffs|formatting eeprom",
        form=r"(?:Mounting SPIFFS|Formatting (?:SPIFFS|EEPROM))\.{3} ?(?:OK|ERROR)?",
        example="Mounting SPIFFS...",
        weight=Weight.SPEAKS,
        says="its files; where it stops there, their layout is wrong",
        after_loading=True,
        whole=True,
    ),
    _deauther(
        name="deauther-silent",
        marks="serial deactivated",
        form=r"Warning: Serial deactivated",
        example="Warning: Serial deactivated",
        weight=Weight.RUNS,
        says="nothing more will come: its command line over the serial line is off",
        after_loading=True,
        whole=True,
    ),
    # esp_wifi_repeater.
    _repeater(
        name="repeater-runs",
        marks="console tcp server",
        form=r"\bStarting Console TCP Server on port \d",
        example="Starting Console TCP Server on port 7777",
        weight=Weight.RUNS,
        says="it is through with its start",
    ),
    _repeater(
        name="repeater",
        marks="repeater starting",
        form=r"\bWiFi Repeater \S{1,20} starting",
        example="WiFi Repeater V2.2.17 starting",
        weight=Weight.SPEAKS,
        says="it has begun",
    ),
    _repeater(
        name="repeater-rf",
        marks="rfcal|rf data",
        form=r"\bWriting rfcal init data @0x[0-9a-f]{1,8}|\bRF data\[\d{1,3}\] is ok",
        example="Writing rfcal init data @0x3fc000",
        weight=Weight.NORMAL,
        says="it looks after the init data",
    ),
    _repeater(
        name="repeater-config",
        marks="config found saving|length mismatch old",
        form=(
            r"\bNo config found, saving default in flash|"
            r"\bLength Mismatch.{0,40}probably old version of config, loading defaults"
        ),
        example="No config found, saving default in flash",
        weight=Weight.NORMAL,
        says="there are no settings yet, or those of another build",
        source=f"{_REPEATER}/config_flash.c",
    ),
    # Sketches with WiFiManager.
    Message(
        name="wifi-manager",
        speaker=Speaker.WIFI_MANAGER,
        marks="wm",
        form=r"^\s{0,4}\*(?:WM: |wm: ?).{1,100}",
        example="*WM: AutoConnect",
        weight=Weight.RUNS,
        says="the sketch runs, and looks for a network",
        source="https://github.com/tzapu/WiFiManager/issues/184",
    ),
    # Vendors.
    _vendor(
        name="vendor-init",
        marks="xiaomi",
        form=r"\*{3,8}xiaomi init pass\*{3,8}",
        example="*****xiaomi init pass*****",
        weight=Weight.RUNS,
        says="the application of a vendor runs",
    ),
)
