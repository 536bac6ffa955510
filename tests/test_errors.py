from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING

import pytest

import imgtool
from imgtool import FormatError, ImgtoolError, LayoutError, errors
from imgtool.device import port_errors
from imgtool.device.port_errors import UnusablePortError
from imgtool.engine.documents import ERROR_TYPES, error_fields
from imgtool.engine.hints import HINTS
from imgtool.engine.verdicts import EXIT_CODES
from imgtool.errors import ChipError, PortError, UsageError, VerifyError
from imgtool.virtual.line.link import PortGoneError

if TYPE_CHECKING:
    from collections.abc import Iterator


def _leaves(kind: type[ImgtoolError]) -> Iterator[type[ImgtoolError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _leaves(below)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ImgtoolError("it is wrong"), "it is wrong"),
        (ImgtoolError("it is wrong", source="a.bin"), "a.bin: it is wrong"),
        (ImgtoolError("it is wrong", offset=0x10), "it is wrong at offset 0x00010"),
        (ImgtoolError("it is wrong", expected=5, found=255), "it is wrong (expected 0x05, found 0xff)"),
        (ImgtoolError("it is wrong", found="that"), "it is wrong (found that)"),
        (ImgtoolError("it is wrong", expected="this"), "it is wrong (expected this)"),
        (
            ImgtoolError("it is wrong", source="a.bin", offset=0, expected="this", found="that"),
            "a.bin: it is wrong at offset 0x00000 (expected this, found that)",
        ),
    ],
    ids=["message", "source", "offset", "numbers", "found", "expected", "all"],
)
def test_text(error: ImgtoolError, text: str) -> None:
    assert str(error) == text


def test_data_holds_only_what_is_known() -> None:
    assert ImgtoolError("no", offset=0, found="x").data == {"offset": 0, "found": "x"}


def test_data_names_the_check_that_refuses() -> None:
    assert LayoutError("no", check="fit").data == {"check": "fit"}


def test_the_first_source_stays() -> None:
    error = FormatError("no").with_source("inner.bin").with_source("outer.bin")

    assert error.source == "inner.bin"


@pytest.mark.parametrize("kind", [FormatError, LayoutError])
def test_they_are_value_errors(kind: type[ImgtoolError]) -> None:
    assert issubclass(kind, ValueError)


@pytest.mark.parametrize("kind", sorted(_leaves(ImgtoolError), key=str))
def test_every_error_has_an_exit_code_and_a_hint(kind: type[ImgtoolError]) -> None:
    assert [any(known in table for known in kind.__mro__) for table in (EXIT_CODES, HINTS)] == [True, True]


@pytest.mark.parametrize(
    ("kind", "code"),
    [(UsageError, 2), (FormatError, 3), (LayoutError, 4), (PortError, 5), (ChipError, 6), (VerifyError, 7)],
)
def test_exit_codes_of_the_contract(kind: type[ImgtoolError], code: int) -> None:
    assert EXIT_CODES[kind] == code


# The tree.


def _all_modules() -> None:
    for module in pkgutil.walk_packages(imgtool.__path__, "imgtool."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _drawing() -> list[str]:
    block = str(errors.__doc__).partition("::\n\n")[2].partition("\n\n")[0]
    return [line.removeprefix("    ") for line in block.splitlines()]


def _drawn(kind: type[ImgtoolError], indent: str = "") -> Iterator[str]:
    """The classes below one as a tree; one with a second base stands below its first, and names the other."""
    order = re.findall(r"\w+Error", str(errors.__doc__))
    below = [each for each in kind.__subclasses__() if each.__bases__[0] is kind]
    # Siblings of several modules come in the order of imports, so the drawing's counts.
    below.sort(key=lambda each: order.index(each.__name__) if each.__name__ in order else len(order))
    for each in below:
        last = each is below[-1]
        others = ", ".join(base.__name__ for base in each.__bases__[1:])
        yield f"{indent}{'└── ' if last else '├── '}{each.__name__}{f' ({others})' if others else ''}"
        yield from _drawn(each, indent + ("    " if last else "│   "))


def test_the_tree_that_is_drawn_is_the_whole_tree() -> None:
    _all_modules()

    tree = [re.split(r"(?<=[\w)]) {2,}", line)[0] for line in _drawing()]

    assert tree == ["ImgtoolError", *_drawn(ImgtoolError)]


def test_every_class_is_described_where_it_is_drawn() -> None:
    assert [line for line in _drawing()[1:] if not re.search(r"[\w)] {2,}[a-z]", line)] == []


PUBLIC: dict[type[ImgtoolError], list[type[ImgtoolError]]] = {
    ChipError: [
        errors.LineError,
        errors.RefusedError,
        errors.ProtectedError,
        errors.SilentError,
        errors.SyncError,
        errors.NoFlashError,
        errors.StubError,
        errors.StubLineError,
        errors.WrongChipError,
    ],
    PortError: [UnusablePortError, port_errors.BusyPortError, PortGoneError],
    FormatError: [errors.CutError, errors.CoveredHeaderError, errors.PartOfFlashError],
    LayoutError: [
        errors.PartitionError,
        errors.NoLayoutError,
        errors.TableRowError,
        errors.SlotRoomError,
    ],
}


@pytest.mark.parametrize(
    ("public", "kind"), [(public, kind) for public, kinds in PUBLIC.items() for kind in kinds]
)
def test_who_catches_a_public_class_catches_its_causes(
    public: type[ImgtoolError], kind: type[ImgtoolError]
) -> None:
    assert issubclass(kind, public)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.SilentError("no"), "ChipError"),
        (errors.SyncError("no"), "LineError"),
        (errors.LineError("no"), "LineError"),
        (errors.RefusedError("no"), "RefusedError"),
        (errors.WrongChipError("no"), "ChipError"),
        (errors.NoFlashError("no"), "ChipError"),
        (errors.ProtectedError("no", bits=4), "ProtectedError"),
        (errors.StubError("no"), "ChipError"),
        (errors.MissingStubError("no"), "ChipError"),
        (errors.StubLineError("no"), "LineError"),
        (errors.CutError("no"), "FormatError"),
        (errors.PartitionError("no", partition="x"), "LayoutError"),
        (port_errors.BusyPortError("no"), "UnusablePortError"),
        (port_errors.LostPortError("no"), "UnusablePortError"),
        (PortGoneError("no"), "PortGoneError"),
        (UsageError("no"), "UsageError"),
        (errors.InterruptedRunError("no"), "InterruptedRunError"),
    ],
)
def test_documents_name_the_types_that_programs_know(error: ImgtoolError, name: str) -> None:
    assert error_fields(error, "")["type"] == name


def test_every_type_of_documents_is_a_class() -> None:
    _all_modules()

    assert ERROR_TYPES - {kind.__name__ for kind in _leaves(ImgtoolError)} == {"ImgtoolError"}


def test_fields_of_causes() -> None:
    protected = errors.ProtectedError("it is protected", bits=0x1C)
    refused = errors.RefusedError("it refuses", offset=0x1000, status=b"\x01\x08")

    assert (protected.bits, protected.check, protected.found) == (0x1C, "protection", "0x1c")
    assert (refused.status, refused.found, refused.offset) == (b"\x01\x08", "0108", 0x1000)
    assert errors.PartitionError("no", partition="lfs").partition == "lfs"


def test_facts_of_ports() -> None:
    held = port_errors.BusyPortError("in use", source="COM3", program="putty", pid=4)
    gone = port_errors.MissingPortError("none", ports=("COM1",))

    assert held.data == {"source": "COM3", "reason": "busy", "program": "putty", "pid": 4}
    assert gone.data == {"reason": "missing", "ports": ["COM1"]}
