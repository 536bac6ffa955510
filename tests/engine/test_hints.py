"""Hints: each cause has its cure, chosen by its class and its fields alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imgtool.device.port_errors import (
    BusyPortError,
    FaultyPortError,
    ForbiddenPortError,
    LostPortError,
    MissingPortError,
    NotAPortError,
    PortProblem,
    RefusedPortError,
    SeveralPortsError,
    UnusablePortError,
)
from imgtool.engine import hints
from imgtool.engine.hints import HINTS, cure_of_port, hint_for
from imgtool.engine.jobs.flash import CHECKS as CHECKS_OF_OPTION
from imgtool.errors import (
    ChipError,
    CoveredHeaderError,
    FlashError,
    FormatError,
    ImgtoolError,
    InterruptedRunError,
    LayoutError,
    LineError,
    MissingStubError,
    NoFlashError,
    PortError,
    ProtectedError,
    RefusedError,
    SilentError,
    SlotRoomError,
    StubError,
    StubLineError,
    SyncError,
    TableRowError,
    UsageError,
    VerifyError,
    WrongChipError,
)
from imgtool.operations.flashing.waivers import CHECKS, PROTECTION

KINDS: dict[str, Callable[..., UnusablePortError]] = {
    "missing": MissingPortError,
    "permission": ForbiddenPortError,
    "busy": BusyPortError,
    "not-a-port": NotAPortError,
    "refused": RefusedPortError,
    "several": SeveralPortsError,
    "lost": LostPortError,
    "other": FaultyPortError,
}


def failure(reason: str, message: str = "it is so", **facts: object) -> UnusablePortError:
    return KINDS[reason](message, source="/dev/ttyUSB0", **facts)


CURES: dict[str, tuple[PortError, str | None]] = {
    "missing": (failure("missing", ports=()), "imgtool ports shows what is there"),
    "brltty": (failure("missing", ports=(), suspect="brltty"), "sudo apt remove brltty"),
    "stranger": (
        ForbiddenPortError("no", group="dialout", member=False, in_session=False),
        "sudo usermod -aG dialout $USER",
    ),
    "new-member": (
        failure("permission", group="uucp", member=True, in_session=False),
        "log out and in again: group uucp",
    ),
    "member": (failure("permission", group="uucp", member=True, in_session=True), "udev rule"),
    "root-group": (failure("permission", group="root", member=False, in_session=False), "udev rule"),
    "no-group": (failure("permission"), "udev rule"),
    "held": (failure("busy", program="picocom", pid=812), "end picocom (pid 812)"),
    "modem-manager": (failure("busy", program="ModemManager", pid=3), "sudo systemctl stop ModemManager"),
    "perhaps-modem-manager": (failure("busy", suspect="ModemManager"), "sudo systemctl stop ModemManager"),
    "held-by-nobody-knows": (failure("busy"), "close the serial monitor"),
    "not-a-port": (failure("not-a-port"), "imgtool ports shows the names"),
    "refused": (failure("refused"), "start the server"),
    "several": (failure("several", ports=("a", "b")), "--port"),
    "lost": (failure("lost"), "plug it in again"),
    "lost-to-another": (failure("lost", program="cat", pid=9), "end cat (pid 9)"),
    "other": (failure("other"), "unplug it and plug it in again"),
    "nothing-known": (PortError("no"), None),
}


@pytest.mark.parametrize(("error", "cure"), CURES.values(), ids=CURES)
def test_cures(error: PortError, cure: str | None) -> None:
    found = cure_of_port(error)

    assert (found is None) if cure is None else (found is not None and cure in found)


def test_nobody_is_told_to_join_a_mighty_group() -> None:
    for group in ("root", "wheel", "sudo"):
        assert "usermod" not in str(cure_of_port(failure("permission", group=group, member=False)))


@pytest.mark.parametrize("reason", PortProblem)
def test_every_reason_has_a_cure(reason: PortProblem) -> None:
    error = failure(reason)

    assert (error.reason, bool(cure_of_port(error))) == (reason, True)


# Chips.

SILENT = "1. hold GPIO0 low"
BROKEN = "a lower --baud or another cable"
NO_STUB = "--stub none works without a flasher stub"
OF_CHIPS = HINTS[ChipError]


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (SilentError("no"), SILENT),
        (SilentError("no", lines="apart"), "a capacitor of 1 to 10 uF from EN to GND"),
        (SyncError("no"), SILENT),
        (LineError("no"), BROKEN),
        (NoFlashError("no"), "the chip answers, its flash does not"),
        (ProtectedError("no", bits=4), "--force protection of imgtool flash"),
        (StubError("no"), NO_STUB),
        (MissingStubError("no"), NO_STUB),
        (StubLineError("no"), NO_STUB),
        (RefusedError("no"), OF_CHIPS),
        (FlashError("no"), OF_CHIPS),
        (WrongChipError("no"), OF_CHIPS),
        (ChipError("no"), OF_CHIPS),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ImgtoolError) else "",
)
def test_cures_of_chips(error: ChipError, cure: str) -> None:
    assert cure in hint_for(error)


def test_words_do_not_choose_a_cure() -> None:
    error = ChipError("the flasher stub", expected="an answer to SYNC", found="a flash ID")

    assert hint_for(error) == OF_CHIPS


# All others.


@pytest.mark.parametrize("kind", [PortError, LayoutError, FormatError, UsageError, InterruptedRunError])
def test_what_has_no_cure_of_its_own_has_that_of_its_class(kind: type[ImgtoolError]) -> None:
    assert hint_for(kind("no")) == HINTS[kind]


def test_a_hint_of_a_usage_error_is_its_own() -> None:
    error = UsageError("no")
    error.hint = "choose another"

    assert hint_for(error) == "choose another"


def test_notes_stand_before_the_cure() -> None:
    error = LineError("no")
    error.add_note("the chip was asked at 9600 baud")

    assert hint_for(error).startswith("the chip was asked at 9600 baud; a lower --baud")


def test_bytes_that_differ_are_named() -> None:
    few = VerifyError("no", sectors=(0, 0x1000), cause="the supply is weak")
    many = VerifyError("no", sectors=tuple(range(0, 0xA000, 0x1000)))

    assert hint_for(few) == "the supply is weak; sectors at 0x000000, 0x001000"
    assert hint_for(many).endswith("0x007000 and 2 more")


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_that_can_be_waived_has_a_cure_that_does_not_waive_it(check: str) -> None:
    cure, _, waived = hint_for(LayoutError("no", check=check)).partition("; ")

    assert cure
    assert waived == f"--force {check} of imgtool flash writes all the same"


def test_only_flash_is_told_to_go_on_in_spite_of_a_check() -> None:
    error = LayoutError("no", check="place")

    assert "--force" in hint_for(error, "flash")
    assert "--force" not in hint_for(error, "merge")


def test_the_checks_have_one_home() -> None:
    assert set(hints.INSTEAD) == set(CHECKS)
    assert (*CHECKS, PROTECTION) == CHECKS_OF_OPTION


def test_what_can_be_repaired() -> None:
    assert "imgtool patch --repair" in hint_for(FormatError("no", check="repair"))


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        (LayoutError, "a smaller build fits, or a larger flash"),
        (SlotRoomError, "a smaller build fits, or a partition with more room"),
        (TableRowError, "mend the rows of the partition table"),
    ],
)
def test_what_does_not_fit_has_the_cure_of_its_class(kind: type[LayoutError], instead: str) -> None:
    error = kind("it does not fit", check="fit")

    assert instead in hint_for(error, "flash")
    assert hint_for(error, "flash").endswith("--force fit of imgtool flash writes all the same")
    assert instead in hint_for(error, "merge")
    assert "--force" not in hint_for(error, "merge")


@pytest.mark.parametrize(("command", "check"), [("merge", None), ("flash", "size"), ("flash", "mode")])
def test_a_covered_header_is_for_patch(command: str, check: str | None) -> None:
    hint = hint_for(CoveredHeaderError("a check covers it", check=check), command)

    assert hint.startswith("imgtool patch FILE -o OUT, with the same option, changes the check too")
    assert ("--force" in hint) == (command == "flash")
