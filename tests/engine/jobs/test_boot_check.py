"""The boot check of ``flash``: what is waited for, how long, what is said of it, how it can be ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from imgtool.device.events import ignore
from imgtool.device.session import ConnectOptions, Session
from imgtool.device.wire import Lines, Wire, WireTraits
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.boot_check import STAGE, BootCheck, WrittenFirmware, watch_start
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.errors import PortError
from imgtool.formats.logs.serial_line import heard_at
from imgtool.formats.reading import Firmware
from imgtool.operations.explain.messages.row import Speaker
from imgtool.operations.explain.values import Verdict
from tests import boot_logs as logs
from tests.engine.jobs.boards import ROM as WITHOUT_STUB
from tests.engine.jobs.boards import STOPS, board
from tests.support import IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgtool.device.events import Event

ROM, USUAL = 74_880, 115_200
BOOT: Final = logs.BANNER + logs.LOADED
PROMPT: Final = "\r\nNodeMCU 2.2.0 build 20190301 powered by Lua 5.1.4 on SDK 2.2.1(6ab97e9)\r\n> "
NODEMCU = WrittenFirmware(Firmware("NodeMCU", "2.2.0", "2.2.1(6ab97e9)"))
AT = WrittenFirmware(Firmware("ESP8266 AT"))
PAIR = tuple(
    InputFile(name, IMAGES[f"sample/{name}"], place)
    for name, place in (("0x00000.bin", 0), ("0x10000.bin", 0x10000))
)


@dataclass
class Talking(Wire):
    """A port to a chip that says the same behind each reset, and its clock.

    Attributes:
        says: Seconds behind the reset, text, and at which speed.
        gone: When the port is lost, s behind the reset.
        takes: The speeds that the port takes; none for all.
    """

    says: tuple[tuple[float, str, int], ...]
    gone: float = 1e9
    takes: tuple[int, ...] = ()
    name: str = "talking"
    traits: WireTraits = field(default_factory=lambda: WireTraits(lines=Lines.TOGETHER))
    now: float = 0.0
    resets: int = 0
    speeds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = self
        self._began = 0.0
        self._heard = 0.0
        self._held = False
        self._left = b""

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def discard(self) -> None:
        self._left = b""

    def close(self) -> None:
        """Nothing to close."""

    def set_lines(self, dtr: bool, rts: bool) -> None:
        del dtr
        if self._held and not rts:
            self._began = self._heard = self.now
            self.resets += 1
        self._held = rts

    def set_baud(self, baud: int) -> None:
        if self.takes and baud not in self.takes:
            raise ValueError(baud)
        self._arrive()
        self.speeds.append(baud)

    def read(self, size: int, timeout: float) -> bytes:
        self._arrive()
        if not self._left and timeout:
            self.now += timeout
            self._arrive()
        if self.now - self._began > self.gone:
            raise OSError("gone")
        data, self._left = self._left[:size], self._left[size:]
        return data

    def _arrive(self) -> None:
        """What has come since the last look, as it is heard at the speed of the line."""
        for at, text, baud in self.says:
            first, last = (
                min(len(text), max(0, int((moment - self._began - at) * baud / 10)))
                for moment in (self._heard, self.now)
            )
            if last > first:
                self._left += heard_at(text.encode()[first:last], baud, self.speeds[-1])
        self._heard = self.now


@dataclass
class Events:
    """Keeps events; raises something at one of them.

    Attributes:
        stop: From which second on.
        how: What.
    """

    stop: int = 1000
    how: Callable[[], BaseException] = KeyboardInterrupt
    heard: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.heard.append(event)
        if event.stage == STAGE and event.done >= self.stop:
            raise self.how()

    @property
    def messages(self) -> list[str]:
        return list(dict.fromkeys(event.message for event in self.heard))


def watched(wire: Talking, written: WrittenFirmware, events: Events | None = None) -> BootCheck:
    session = Session(wire, ConnectOptions(), ignore)
    session.run_firmware(ROM)
    return watch_start(session, written, Events() if events is None else events)


def test_nodemcu_runs() -> None:
    wire, events = Talking(((0.05, BOOT, ROM), (0.4, PROMPT, USUAL))), Events()
    found = watched(wire, NODEMCU, events)

    assert found.boot is not None
    assert (found.boot.verdict, found.note) == (Verdict.RUNS, "")
    assert (wire.speeds, wire.resets) == ([ROM, USUAL], 1)
    assert wire.now < 1.2
    assert {event.stage for event in events.heard} == {STAGE}
    assert events.messages == [
        "waiting for what NodeMCU says: its banner and a prompt, up to 2 s; a first start takes up to 60 s"
    ]


def test_a_new_file_system_is_waited_for() -> None:
    wire, events = Talking(((0.05, BOOT, ROM), (50.0, PROMPT, USUAL))), Events()
    found = watched(wire, NODEMCU._replace(first_start=True), events)

    assert found.boot is not None
    assert found.boot.verdict is Verdict.RUNS
    assert 50 < wire.now < 51
    assert events.messages[0].endswith("up to 60 s, as it makes its file system first")
    assert "Ctrl-C" in events.messages[1]
    assert [event.done for event in events.heard] == sorted(event.done for event in events.heard)


def test_what_cannot_be_told_names_the_command_that_hears_more() -> None:
    wire = Talking(((0.05, BOOT, ROM),))
    found = watched(wire, NODEMCU)

    assert found.boot is not None
    assert found.boot.verdict is Verdict.UNFINISHED
    assert found.boot.sentence.startswith("Whether NodeMCU runs cannot be told: it was started")
    assert "its banner and a prompt" in found.boot.cause
    assert "at 74880 and 115200 baud" in found.boot.cause
    assert [cure.commands for cure in found.boot.cures] == [("imgtool monitor -b 115200 --log boot.log",)]
    assert wire.now == pytest.approx(2.2, abs=0.3)


def test_a_rom_that_stops_while_it_loads() -> None:
    found = watched(Talking(((0.05, logs.BANNER + logs.LOADS[:40], ROM),)), NODEMCU)

    assert found.boot is not None
    assert found.boot.verdict is Verdict.UNFINISHED
    assert found.boot.sentence.endswith("the boot ROM has not come to its start.")


def test_nothing_is_heard() -> None:
    wire = Talking(())

    assert watched(wire, NODEMCU) == BootCheck(
        None, "the chip said nothing after the reset: whether the firmware starts is not known"
    )
    assert wire.now < 2.5


def test_one_that_is_not_known_costs_little() -> None:
    wire, events = Talking(((0.05, BOOT, ROM), (0.4, "value 17\r\n" * 9000, USUAL))), Events()
    found = watched(wire, WrittenFirmware(), events)

    assert found.boot is not None
    assert found.boot.verdict is Verdict.SPEAKS
    assert wire.now == pytest.approx(3.2, abs=0.3)
    assert events.messages == ["waiting for what the firmware says: a line of its own, up to 3 s"]


def test_a_line_that_is_lost_is_heard_in_a_second_start() -> None:
    """It comes right behind the loading, and is too short to be known as noise."""
    length = 10 * len(BOOT) / ROM
    wire, events = Talking(((0.05, BOOT, ROM), (0.06 + length, "\r\nready\r\n", USUAL))), Events()
    found = watched(wire, AT, events)

    assert found.boot is not None
    assert (found.boot.verdict, wire.resets) == (Verdict.RUNS, 2)
    assert wire.speeds[-1] == USUAL
    assert events.messages[1] == "starting it once more, to listen at 115200 baud from the beginning"


def test_a_second_start_does_not_come_while_files_are_made() -> None:
    length = 10 * len(BOOT) / ROM
    wire = Talking(((0.05, BOOT, ROM), (0.06 + length, "\r\nready\r\n", USUAL)))
    found = watched(wire, NODEMCU._replace(first_start=True))

    assert found.boot is not None
    assert (found.boot.verdict, wire.resets) == (Verdict.UNFINISHED, 1)


def test_another_firmware_than_was_written() -> None:
    found = watched(Talking(((0.05, BOOT, ROM), (0.4, PROMPT, USUAL))), AT)

    assert found.boot is not None
    assert (found.boot.verdict, found.note) == (
        Verdict.RUNS,
        "what starts is NodeMCU, and AT firmware was written",
    )


@pytest.mark.parametrize("how", STOPS, ids=["key", "owner"])
@pytest.mark.parametrize(
    ("says", "verdict"), [(BOOT, Verdict.UNFINISHED), ("", None)], ids=["boot", "nothing"]
)
def test_it_can_be_ended_by_hand(
    says: str, verdict: Verdict | None, how: Callable[[], BaseException]
) -> None:
    wire = Talking(((0.05, says, ROM),))
    found = watched(wire, NODEMCU._replace(first_start=True), Events(1, how))

    assert (None if found.boot is None else found.boot.verdict) is verdict
    assert found.note.startswith("the waiting was ended by hand, after 1.")
    assert wire.now < 1.5


def test_a_port_that_is_lost() -> None:
    with pytest.raises(PortError):
        watched(Talking(((0.05, BOOT, ROM),), gone=0.5), NODEMCU)


def test_an_adapter_that_does_not_take_the_speed_is_listened_to_as_it_is() -> None:
    wire = Talking(((0.05, BOOT, ROM), (0.4, PROMPT, USUAL)), takes=(ROM,))
    found = watched(wire, NODEMCU._replace(first_start=True))

    assert found.boot is not None
    assert found.boot.verdict is Verdict.UNFINISHED
    assert set(wire.speeds) == {ROM}


@pytest.mark.parametrize(
    ("firmware", "speaker", "baud"),
    [
        (None, None, USUAL),
        (Firmware("non-OS SDK application"), None, USUAL),
        (Firmware("NodeMCU", "0.9.5"), Speaker.NODEMCU, 9600),
        (Firmware("NodeMCU", "2.1.0", "2.1.0(116b762)"), Speaker.NODEMCU, USUAL),
        (Firmware("Tasmota", "9.5.0"), Speaker.TASMOTA, USUAL),
        (Firmware("ESP8266 RTOS SDK application"), Speaker.RTOS_SDK, ROM),
    ],
)
def test_what_is_expected_of_what_was_written(
    firmware: Firmware | None, speaker: Speaker | None, baud: int
) -> None:
    written = WrittenFirmware(firmware)

    assert (written.speaker, written.expected.bauds[0]) == (speaker, baud)


def test_the_job_goes_by_what_it_has_written() -> None:
    wire, events = board(spec="4MB"), Events()
    result = flash(wire, FlashRequest(files=PAIR, connect=WITHOUT_STUB), events)

    assert result.boot is not None
    assert (result.boot.verdict, result.boot_note, result.code) == (Verdict.RUNS, "", 0)
    assert result.boot.sentence.startswith("NodeMCU runs")
    told = [event.message for event in events.heard if event.stage == STAGE]
    assert told[0].endswith("up to 60 s, as it makes its file system first")


def test_what_cannot_be_told_is_no_failure_of_the_job() -> None:
    image = InputFile("0x00000.bin", IMAGES["sample/0x00000.bin"], 0)
    result = flash(board(spec="1MB"), FlashRequest(files=(image,), connect=WITHOUT_STUB))

    assert result.boot is not None
    assert result.boot.verdict is not Verdict.RUNS
    assert result.document["results"][0]["boot"]["verdict"] == str(result.boot.verdict)
    assert result.words.cures


def test_ended_by_hand_the_job_is_done_all_the_same() -> None:
    image = InputFile("image.bin", IMAGES["sample/0x00000.bin"], 0)
    request = FlashRequest(files=(image,), connect=WITHOUT_STUB)
    result = flash(board(spec="1MB"), request, Events(1))

    assert (result.error, result.transfer is None) == (None, False)
    assert "ended by hand" in result.boot_note
    assert any("ended by hand" in note for note in result.words.notes)
    assert any("ended by hand" in warning for warning in result.document["warnings"])
