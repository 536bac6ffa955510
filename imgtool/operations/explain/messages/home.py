"""What firmware for the home says: Tasmota, ESPHome, ESP Easy, WLED, ESPurna, Homie.

Not the Arduino core that it is made with.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from imgtool.operations import actions
from imgtool.operations.actions import Area, FileRole, Remark, cure
from imgtool.operations.explain.messages.row import Message, Speaker, Weight
from imgtool.operations.explain.values import INSPECT, RECORD_FIRMWARE, WRITE, LogOutcome, Verdict

if TYPE_CHECKING:
    from imgtool.operations.explain.messages.row import Told

__all__ = ["ROWS"]

_TASMOTA: Final = "https://github.com/arendst/Tasmota/blob/development/tasmota/tasmota.ino"
_ESPHOME: Final = "https://github.com/esphome/esphome/blob/dev/esphome"
_SAFE_MODE: Final = f"{_ESPHOME}/components/safe_mode/safe_mode.cpp"
_ESPEASY: Final = "https://github.com/letscontrolit/ESPEasy/blob/mega/src/src/ESPEasyCore/ESPEasy_setup.cpp"
_WLED: Final = "https://github.com/Aircoookie/WLED/blob/main/wled00/wled.cpp"
_ESPURNA: Final = "https://github.com/xoseperez/espurna/blob/dev/code/espurna"
_HOMIE: Final = "https://github.com/homieiot/homie-esp8266/blob/develop/src"

_SAVE: Final = cure("If the settings matter: keep what is on the chip first.", actions.read(FileRole.DUMP))
_ANEW: Final = cure(
    "Then erase the chip and write the firmware again; that loses its settings.",
    actions.erase(Area.ALL),
    WRITE,
)
_IN_SAFE_MODE: Final = LogOutcome(
    Verdict.SAFE_MODE,
    "ESPHome is in its safe mode: it has counted too many failed starts.",
    "Line {line} says '{text}'. Only Wi-Fi and updates over the air run; the components of the "
    "configuration do not. The cause is in the starts before, which ended within a minute.",
    (
        cure("Read how a start before ends: record from a reset on.", RECORD_FIRMWARE),
        cure("Build without the component that was added last, and write it over the air, or here.", WRITE),
    ),
)
_FILES: Final = LogOutcome(
    Verdict.FILE_SYSTEM,
    "ESP Easy cannot use its file system.",
    "Line {line} says '{text}': its files cannot be written. The flash size in the header is not that of "
    "the chip, the flash chip is one of PUYA, which older builds cannot write, or the file system is "
    "damaged.",
    (
        cure("See the size of the chip, and that in the header.", actions.ask_chip(), INSPECT),
        _SAVE,
        _ANEW,
    ),
)


def _as_wanted(outcome: LogOutcome, told: Told) -> LogOutcome:
    """A safe mode that was asked for is no sign of failed starts."""
    if not told.boot.has("esphome-wanted"):
        return outcome
    return outcome._replace(
        sentence="ESPHome is in its safe mode, as it was asked to be.",
        cause="Only Wi-Fi and updates over the air run; the components of the configuration do not.",
        cures=(cure("Restart it; then it starts with all of its components."),),
    )


_tasmota = partial(Message, speaker=Speaker.TASMOTA, source=_TASMOTA)
_esphome = partial(Message, speaker=Speaker.ESPHOME)
_espeasy = partial(Message, speaker=Speaker.ESPEASY, source=_ESPEASY)
_wled = partial(Message, speaker=Speaker.WLED, source=_WLED)
_espurna = partial(Message, speaker=Speaker.ESPURNA, source=f"{_ESPURNA}/system.cpp")
_homie = partial(Message, speaker=Speaker.HOMIE, source=f"{_HOMIE}/Homie.cpp")

ROWS: Final = (
    # Tasmota.
    _tasmota(
        name="tasmota",
        marks="project",
        form=r"\bProject \S{1,40} .{0,80}Version \d[\w.()-]{0,40}",
        example="00:00:00.077 Project tasmota - Tasmota Version 12.4.0(tasmota)-2_7_4_9",
        weight=Weight.RUNS,
        says="it is through with its start, but for its drivers",
        begins=True,
    ),
    _tasmota(
        name="tasmota-network",
        marks="wif connected|htp server|mqt|rsl",
        form=(
            r"\bWIF: Connected\b|\bHTP: Web server active on \S|"
            r"\bMQT: (?:Connected\b|(?:\S{1,60}/)?(?:tele|stat)/)|"
            r"\bRSL: (?!.{0,80}RestartReason)\S"
        ),
        example="00:00:04.512 WIF: Connected",
        weight=Weight.RUNS,
        says="it is in the network",
        source="https://github.com/arendst/Tasmota/issues/8316",
    ),
    _tasmota(
        name="tasmota-start",
        marks="cfg loaded|cfg|src|hdw|qpc",
        form=(
            r"\bCFG: (?:Loaded (?:from|CR) .{1,60}|CR \d{1,5}/\d{1,5}.{0,40})|\bSRC: \w{1,20}|"
            r"\bHDW: ESP8\w{1,20}.{0,30}|\bQPC: (?:Count|Reset)\b.{0,20}"
        ),
        example="00:00:00.001 HDW: ESP8266EX",
        weight=Weight.NORMAL,
        says="it has begun",
        source="reports of users",
    ),
    _tasmota(
        name="tasmota-defaults",
        marks="cfg defaults",
        form=r"\bCFG: Use defaults",
        example="00:00:00.001 CFG: Use defaults",
        weight=Weight.NOTED,
        says=Remark("Tasmota has no settings, or lost them: a first start, or settings of another build."),
        source="reports of users",
    ),
    _tasmota(
        name="tasmota-reset",
        marks="settings reset",
        form=r"\b(?:APP|FRC): Some settings have been reset \((?P<starts>\d{1,3})\)",
        example="00:00:00.080 FRC: Some settings have been reset (3)",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.SETTINGS,
            "Tasmota resets its settings start after start: it crashes or is reset within seconds.",
            "Line {line} says '{text}': so many fast restarts in a row. First rules are given up, then "
            "GPIOs, then the whole module.",
            (
                cure("Read how a start ends: record from a reset on.", RECORD_FIRMWARE),
                _SAVE,
                _ANEW,
            ),
        ),
        once=Remark(
            "Tasmota has restarted {starts} times within seconds, and so gave up some settings: rules, "
            "then GPIOs, then the module."
        ),
        versions="6.4 and later",
    ),
    _tasmota(
        name="tasmota-minimal",
        marks="support persistent settings",
        form=r"\bWARNING This version does not support persistent settings",
        example="WARNING This version does not support persistent settings",
        weight=Weight.NOTED,
        says=Remark("This is the minimal build, a step of an update. Write the whole build now.", (WRITE,)),
    ),
    _tasmota(
        name="tasmota-before",
        marks="restartreason|blocked loop",
        form=(
            r'"RestartReason":(?:\{"Exception":\d|'
            r'"(?:Exception|Hardware Watchdog|Software Watchdog|Blocked Loop)\b)|'
            r"\bBlocked Loop\b"
        ),
        example='RSL: RESULT = {"RestartReason":"Exception"}',
        weight=Weight.EARLIER,
        says=Remark("Tasmota tells how its run before ended."),
        source="reports of users",
    ),
    _tasmota(
        name="tasmota-connecting",
        marks="wif connecting",
        form=r"\bWIF: Connecting to AP\d?\b.{0,80}",
        example="00:00:03.100 WIF: Connecting to AP1 home in mode 11n as tasmota-1234...",
        weight=Weight.SPEAKS,
        says="the way into the wireless network",
        source="https://github.com/arendst/Tasmota/issues/1260",
    ),
    _tasmota(
        name="tasmota-radio",
        marks="wif failed",
        form=r"\bWIF: Connect failed\b.{0,80}",
        example="00:00:10.100 WIF: Connect failed as AP cannot be reached",
        weight=Weight.NORMAL,
        says="Wi-Fi: the access point is out of reach, or the password is wrong",
        source="https://github.com/arendst/Tasmota/issues/1260",
    ),
    # ESPHome.
    _esphome(
        name="esphome-safe-mode",
        marks="loop detected|safe mode active|ota attempt|safe_mode timeout",
        form=(
            r"\bBoot loop detected(?:\. ?Proceeding to safe mode)?|\bSAFE MODE IS ACTIVE|"
            r"\bWaiting for OTA attempt|\bNo OTA attempt made, restarting|"
            r"\[safe_mode(?::\d{1,4})?\]: {0,2}Timeout, restarting"
        ),
        example="[E][safe_mode:086]: Boot loop detected. Proceeding to safe mode",
        weight=Weight.FAILS,
        says=_IN_SAFE_MODE,
        refine=_as_wanted,
        source=_SAFE_MODE,
    ),
    _esphome(
        name="esphome-runs",
        marks="setup finished|esphome version|boot successful",
        form=(
            r"\bsetup\(\) finished successfully ?!|\bESPHome version \d[\w.-]{0,20} compiled on|"
            r"\bBoot seems successful[;,] resetting boot loop counter"
        ),
        example="[I][app:062]: setup() finished successfully!",
        weight=Weight.RUNS,
        says="it is through with its start",
        source=f"{_ESPHOME}/core/application.cpp",
    ),
    _esphome(
        name="esphome-starts",
        marks="log initialized|running through setup",
        form=r"\bLog initialized\b|\bRunning through setup\(\)",
        example="[I][logger:170]: Log initialized",
        weight=Weight.SPEAKS,
        says="it has begun",
        source=f"{_ESPHOME}/components/logger/logger.cpp",
        after_loading=False,
    ),
    _esphome(
        name="esphome-counted",
        marks="unsuccessful boot attempts",
        form=(
            r"\bThere have been (?P<starts>[1-9]\d{0,5}) suspected unsuccessful boot attempts|"
            r"\bUnsuccessful boot attempts: (?P<more>[1-9]\d{0,5})"
        ),
        example="[C][safe_mode:079]: There have been 10 suspected unsuccessful boot attempts",
        weight=Weight.NOTED,
        says=Remark("ESPHome has counted {starts}{more} starts that ended within a minute."),
        source=_SAFE_MODE,
    ),
    _esphome(
        name="esphome-none-counted",
        marks="unsuccessful boot attempts",
        form=(
            r"\bThere have been 0 suspected unsuccessful boot attempts|"
            r"\bUnsuccessful boot attempts: 0\b"
        ),
        example="[C][safe_mode:079]: There have been 0 suspected unsuccessful boot attempts",
        weight=Weight.NORMAL,
        says="no start before has ended too early",
        source=_SAFE_MODE,
    ),
    _esphome(
        name="esphome-warned",
        marks="occurred restarts|unhandled restarts|quick restarts",
        form=(
            r"\bLast (?:Boot was an unhandled reset, will proceed|"
            r"reset occurred too quickly; safe mode will be invoked|"
            r"reset too quick; invoke in \d).{0,60}"
        ),
        example=(
            "[W][safe_mode:082]: Last reset occurred too quickly; safe mode will be invoked in 3 restarts"
        ),
        weight=Weight.NOTED,
        says=Remark("ESPHome goes into its safe mode after some more starts that end so fast."),
        source=_SAFE_MODE,
    ),
    _esphome(
        name="esphome-wanted",
        marks="safe mode manually|safe_mode manual",
        form=(
            r"\bSafe mode (?:invoked|has been entered) manually|"
            r"\[safe_mode(?::\d{1,4})?\]: {0,2}Manual mode\b"
        ),
        example="[D][safe_mode:070]: Safe mode invoked manually",
        weight=Weight.NORMAL,
        says="the safe mode was asked for",
        source=_SAFE_MODE,
    ),
    _esphome(
        name="esphome-component",
        marks="marked failed",
        form=(
            r"(?:\bComponent |\[component(?::\d{1,4})?\]: {0,4}(?:Component )?)"
            r"(?P<component>[\w.]{1,40}) (?:was marked as failed|is marked FAILED)"
        ),
        example="[E][component:119]: Component dht.sensor was marked as failed.",
        weight=Weight.NOTED,
        says=Remark(
            "The component {component} does not work: mostly its wiring or its pins. The others go on."
        ),
        source=f"{_ESPHOME}/core/component.cpp",
    ),
    _esphome(
        name="esphome-details",
        marks="warning flag|error flag|long operation|components block|running",
        form=(
            r"\bset (?:Warning|Error) flag: .{1,60}|\btook a long time for an operation\b|"
            r"\bComponents should block for at most \d"
        ),
        example="[W][component:157]: Component wifi set Warning flag: scanning for networks",
        weight=Weight.NORMAL,
        says="a component waits, or takes its time",
        source=f"{_ESPHOME}/core/component.cpp",
    ),
    _esphome(
        name="esphome-line",
        marks="app|wifi|logger|component|safe_mode|ota|api|mqtt|sensor|switch|gpio",
        form=r"^\s{0,4}(?:\[[EWICDV]{1,2}\])\[[a-z_.]{2,30}(?::\d{1,5})\]: ?.{0,120}",
        example="[C][wifi:048]: Setting up WiFi...",
        weight=Weight.SPEAKS,
        says="a line of a component",
        source=f"{_ESPHOME}/core/log.cpp",
        after_loading=True,
        fallback=True,
    ),
    # ESP Easy.
    _espeasy(
        name="espeasy",
        marks="booting version",
        form=r"\bINIT : Booting version: .{1,60}",
        example="87 : INIT : Booting version: mega-20180513 (ESP82xx Core 2_4_1)",
        weight=Weight.SPEAKS,
        says="it has begun",
        begins=True,
    ),
    _espeasy(
        name="espeasy-runs",
        marks="event system|webserver start|wifi connected|wifi ap",
        form=(
            r"\bEVENT: System#Boot\b|\bWebserver: start\b|\bWIFI : Connected! IP: \S|"
            r"\bWIFI : AP Mode (?:ssid|SSID) will be \S"
        ),
        example="6214 : EVENT: System#Boot",
        weight=Weight.RUNS,
        says="it is through with its start",
        source="https://github.com/letscontrolit/ESPEasy/issues/1565",
    ),
    _espeasy(
        name="espeasy-boot",
        marks="warm|reboot|deepsleep|sleep|cold",
        form=(
            r"\bINIT : (?:Warm boot #[01]\b|(?:Soft Reboot|Manual [Rr]eboot|Deep [Ss]leep|"
            r"Rebooted from deepsleep)(?: #\d{1,6})?|Cold [Bb]oot)"
        ),
        example="88 : INIT : Warm boot #1",
        weight=Weight.SPEAKS,
        says="how often it has started since power-on, and why",
    ),
    _espeasy(
        name="espeasy-warm",
        marks="warm boot",
        form=r"\bINIT : Warm boot #(?P<boots>[2-9]|[1-9]\d{1,5})\b",
        example="88 : INIT : Warm boot #7",
        weight=Weight.REPEATS,
        says=LogOutcome(
            Verdict.BOOT_LOOP,
            "ESP Easy starts again and again, and does not get through with its start.",
            "Line {line} says '{text}': so many starts since the power came on. Mostly a plugin or a rule "
            "crashes, or the supply is weak.",
            (
                cure("Read how a start ends: record from a reset on.", RECORD_FIRMWARE),
                cure(
                    "Leave it on: after ten failed starts it switches off one plugin after the other, in "
                    "newer builds."
                ),
                _SAVE,
                _ANEW,
            ),
        ),
        once=Remark(
            "ESP Easy has started {boots} times since the power came on. Restarts by hand and updates count."
        ),
    ),
    _espeasy(
        name="espeasy-before",
        marks="watchdog|exception",
        form=(
            r"\bINIT : (?:External Watchdog|SW Watchdog|Exception)(?: #\d{1,6})?|"
            r"(?:(?<=\d)|(?<=[Bb]oot)) - Restart Reason: (?:Exception|(?:Hardware|Software) Watchdog)"
        ),
        example="88 : INIT : Exception #2 - Restart Reason: Exception",
        weight=Weight.EARLIER,
        says=Remark("ESP Easy tells that a watchdog or an exception ended its run before."),
    ),
    _espeasy(
        name="espeasy-no-room",
        marks="too small|reflash minimum",
        form=(
            r"\bNo \(or too small\) (?:FS|SPIFFS) area|"
            r"\bPlease reflash with 128k (?:FS|SPIFFS) minimum"
        ),
        example="No (or too small) FS area..",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.FILE_SYSTEM,
            "ESP Easy stops: this build has no room for its files.",
            "Line {line} says '{text}': its layout of the flash has less than 128 KB for a file system.",
            (
                cure("Ask the chip for its size.", actions.ask_chip()),
                cure("Take a build of ESP Easy for that size, and write it.", WRITE),
            ),
        ),
    ),
    _espeasy(
        name="espeasy-mounted",
        marks="mount successful|program memory checksum",
        form=r"\bFS {1,3}: Mount successful\b.{0,60}|\bCRC {1,3}: No program memory checksum found.{0,40}",
        example="90 : FS   : Mount successful, used 75802 bytes of 957314",
        weight=Weight.NORMAL,
        says="its files are there",
    ),
    _espeasy(
        name="espeasy-files",
        marks="mount failed|format failed|reading writing",
        form=(
            r"\bFS {1,3}: Mount failed|\bRESET: FORMAT FS FAILED|\bFS {1,3}: Error while (?:reading|writing)"
            r"(?:/writing)?.{0,60}"
        ),
        example="100 : FS   : Mount failed",
        weight=Weight.FAILS,
        says=_FILES,
        until_runs=True,
    ),
    _espeasy(
        name="espeasy-resets",
        marks="many resets protecting",
        form=r"\bRESET: Too many resets, protecting your flash memory",
        example="RESET: Too many resets, protecting your flash memory (powercycle to solve this)",
        weight=Weight.FAILS,
        says=_FILES._replace(
            verdict=Verdict.SETTINGS,
            sentence="ESP Easy has reset itself to its defaults again and again, and stops.",
        ),
    ),
    _espeasy(
        name="espeasy-settings",
        slow=True,
        marks="incorrect pid|reset successful",
        form=r"\bINIT : Incorrect PID or version|\bRESET: Successful, rebooting.{0,60}",
        example="95 : INIT : Incorrect PID or version!",
        weight=Weight.NOTED,
        says=Remark(
            "ESP Easy found settings of another build, or none, and makes new ones; it restarts once for "
            "that."
        ),
    ),
    # WLED.
    _wled(
        name="wled",
        marks="ada",
        form=r"Ada",
        example="Ada",
        weight=Weight.RUNS,
        says="the end of its start; the only line of most builds",
        whole=True,
        after_loading=True,
    ),
    _wled(
        name="wled-debug",
        marks="wled init",
        form=r"-{2,4}WLED \S{1,20} \d{1,10} INIT-{2,4}",
        example="---WLED 0.14.0 2311160 INIT---",
        weight=Weight.SPEAKS,
        says="it has begun",
        versions="builds for debugging",
    ),
    # ESPurna.
    _espurna(
        name="espurna-unstable",
        marks="system unstable",
        form=r"\[MAIN\] System UNSTABLE",
        example="[000512] [MAIN] System UNSTABLE",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.SAFE_MODE,
            "ESPurna takes itself for unstable, after several crashes: only the least of it runs.",
            "Line {line} says '{text}'. The cause is in the starts before.",
            (
                cure("Read how a start before ends: record from a reset on.", RECORD_FIRMWARE),
                cure("Restore its defaults, or write another build.", WRITE),
            ),
        ),
    ),
    _espurna(
        name="espurna",
        marks="main espurna|webserver running|resetting stability|main system ok",
        form=(
            r"\[MAIN\] ESPURNA \S{1,20}|\[WEBSERVER\] Webserver running on port \d|"
            r"\[MAIN\] (?:Resetting stability counter|System OK)"
        ),
        example="[000496] [MAIN] ESPURNA 1.14.1",
        weight=Weight.RUNS,
        says="it is through with the start of its core",
        source=f"{_ESPURNA}/debug.cpp",
    ),
    _espurna(
        name="espurna-stability",
        marks="stability counter",
        form=r"\[MAIN\] Pending stability counter reset",
        example="[000497] [MAIN] Pending stability counter reset...",
        weight=Weight.NORMAL,
        says="it waits to see whether it stays",
    ),
    _espurna(
        name="espurna-config",
        marks="invalid sdk config",
        form=r"\[MAIN\] Invalid SDK config at 0x[0-9a-f]{1,8}",
        example="[000498] [MAIN] Invalid SDK config at 0x003fd000, resetting...",
        weight=Weight.NOTED,
        says=Remark("The settings of the SDK were damaged, and are made anew."),
    ),
    # Homie.
    _homie(
        name="homie",
        marks="booting mode|wi fi connected|mqtt ready",
        form=(
            r"\bBooting into (?:normal|config(?:uration)?|OTA|standalone) mode\b|"
            r"\*\* Booting in (?:normal|config(?:uration)?|OTA) mode \*\*|"
            r"\u2714 {0,2}(?:Wi-Fi connected, IP: \d|MQTT ready\b)"
        ),
        example="Booting into normal mode",
        weight=Weight.RUNS,
        says="it is through with its start",
        source=f"{_HOMIE}/Homie/Boot/Boot.cpp",
    ),
    _homie(
        name="homie-network",
        marks="wi fi connected|mqtt ready",
        form=r"\bWi-Fi connected, IP: \d|\bMQTT ready\b",
        example="MQTT ready",
        weight=Weight.RUNS,
        says="it is in the network",
        source=f"{_HOMIE}/Homie/Boot/BootNormal.cpp",
        behind=(Speaker.HOMIE,),
        after_loading=True,
    ),
    _homie(
        name="homie-config",
        marks="configuration invalid",
        form=r"\bConfiguration invalid\. Using CONFIG MODE",
        example="Configuration invalid. Using CONFIG MODE",
        weight=Weight.NOTED,
        says=Remark("Homie has no settings yet, or damaged ones, and waits to be given some."),
    ),
    _homie(
        name="homie-stuck",
        marks="config mode disabled",
        form=r"\bCONFIG MODE is disabled",
        example="CONFIG MODE is disabled.",
        weight=Weight.FAILS,
        says=LogOutcome(
            Verdict.SETTINGS,
            "Homie stops: it has no settings, and this build cannot be given any over the network.",
            "Line {line} says '{text}': its file config.json is missing or damaged.",
            (
                cure(
                    "Write its file system with a config.json, or a build with the configuration mode.", WRITE
                ),
            ),
        ),
    ),
)
