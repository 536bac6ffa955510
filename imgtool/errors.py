"""The errors that imgtool raises, as one tree.

::

    ImgtoolError
    ├── FormatError (ValueError)           bytes that are not what they should be
    │   ├── CutError                       they end before they should
    │   ├── CoveredHeaderError             a header that is to be changed, under a check that would not hold
    │   ├── PartOfFlashError               a dump without what its firmware needs of the flash
    │   ├── DamagedFilesError              a file system that is not changed, as it is damaged
    │   └── WrongFileError                 a file that is no firmware at all
    ├── LayoutError (ValueError)           parts that overlap, or do not fit the flash
    │   ├── PartitionError                 a row of a partition table that cannot be
    │   ├── TableRowError                  rows of an RTOS SDK's table with which nothing starts
    │   ├── SlotRoomError                  an application that its partition has no room for
    │   ├── FileRoomError                  files that a file system has no room for
    │   ├── FileNameError                  files that a firmware could not name
    │   ├── FilePlaceError                 nothing tells where a firmware looks for files, and for which
    │   ├── NoLayoutError                  nothing tells what firmware that starts has where
    │   ├── NoFirmwareError                no firmware on a device tells where things are
    │   ├── NoFilesError                   no file system is found on a device
    │   ├── StatedSizeError                the flash size in the header on a device is of no use
    │   └── BringsOwnError                 the firmware on a device has it compiled in
    ├── PortError                          a port that cannot be opened, or is lost
    │   ├── UnusablePortError              one of which the reason is known
    │   │   ├── MissingPortError           it is not there
    │   │   ├── ForbiddenPortError         this user may not open it
    │   │   ├── BusyPortError              another program has it
    │   │   ├── NotAPortError              a name, a file or a device that is no port
    │   │   ├── RefusedPortError           the other side of a network does not take part
    │   │   ├── SeveralPortsError          several could be meant
    │   │   ├── LostPortError              it went away while it was in use
    │   │   │   └── OneTimePortError       and is of a kind that cannot be opened again
    │   │   └── FaultyPortError            the system does not open it, for another reason
    │   └── PortGoneError                  the fault plan of a virtual chip has unplugged it
    ├── ChipError                          a chip that is silent, or refuses
    │   ├── LineError                      no answer came, or none that can be understood
    │   ├── SilentError                    nothing answers a SYNC, whatever was tried
    │   │   └── SyncError (LineError)      nothing answers this one
    │   ├── RefusedError                   the chip answers that it does not do it
    │   ├── WrongChipError                 another chip than it should be
    │   ├── FlashError                     the flash does not do what it is told
    │   │   ├── NoFlashError               it gives no ID
    │   │   └── ProtectedError             it is write-protected
    │   └── StubError                      the flasher stub is of no use
    │       ├── MissingStubError           it is not installed
    │       └── StubLineError (LineError)  it does not start, maybe because of the line
    ├── VerifyError                        flash that was written and reads back differently
    ├── LossError                          something of the user's would be lost, and nothing was written
    ├── NotSaidError                       firmware on the virtual board does not say what was waited for
    ├── RehearsalError                     what would be written does not boot as it should, and was not
    ├── UsageError                         something is asked for that makes no sense
    └── InterruptedRunError                the user has stopped it

Whoever has to tell causes apart does so by their classes and fields, never by their words.  Errors carry data
(which input, at which offset, what was expected and what was found) and no advice about command-line flags:
the library does not know who called it.  Exit codes and hints belong to :mod:`imgtool.engine`; the reasons of
ports have their classes in :mod:`imgtool.device.port_errors`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BringsOwnError",
    "ChipError",
    "CoveredHeaderError",
    "CutError",
    "DamagedFilesError",
    "FileNameError",
    "FilePlaceError",
    "FileRoomError",
    "FlashError",
    "FormatError",
    "ImgtoolError",
    "InterruptedRunError",
    "LayoutError",
    "LineError",
    "LossError",
    "LostThing",
    "MissingStubError",
    "Move",
    "NoFilesError",
    "NoFirmwareError",
    "NoFlashError",
    "NoLayoutError",
    "NotSaidError",
    "PartOfFlashError",
    "PartitionError",
    "PortError",
    "ProtectedError",
    "RefusedError",
    "RehearsalError",
    "SilentError",
    "SlotRoomError",
    "StatedSizeError",
    "StubError",
    "StubLineError",
    "SyncError",
    "TableRowError",
    "UsageError",
    "VerifyError",
    "WrongChipError",
]


class Move(NamedTuple):
    """The place at which a file would be right.

    Attributes:
        file: Name of the file.
        place: Flash address, or the name of a place, such as ``@init-data``.
    """

    file: str
    place: int | str


class ImgtoolError(Exception):
    """Base of all errors that imgtool raises on purpose.

    Args:
        message: What is wrong, as one sentence without a full stop; a ``Phrase`` where a name is in it.
        source: Name of the input at fault, such as a file name; a ``Phrase`` if it is not all a name.
        offset: Byte offset in that input.
        expected: What should have been there, in words or as a number.
        found: What is there instead.
        check: Name of the check that refuses, where a caller may choose to go on in spite of it.

    Attributes:
        moves: Where files that stand in the wrong place would be right; empty where that is not known.
    """

    moves: tuple[Move, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        offset: int | None = None,
        expected: str | int | None = None,
        found: str | int | None = None,
        check: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.offset = offset
        self.expected = expected
        self.found = found
        self.check = check

    def __str__(self) -> str:
        return str(self.phrase)

    @property
    def phrase(self) -> Phrase:
        """All that is to be said, with the names in it known as names."""
        source = self.source
        pieces = [] if source is None else [source if isinstance(source, Phrase) else Name(source), ": "]
        pieces.append(self.message)
        if self.offset is not None:
            pieces.append(f" at offset 0x{self.offset:05x}")
        known = [("expected ", self.expected), ("found ", self.found)]
        shown = [(word, _show(value)) for word, value in known if value is not None]
        for separator, (word, value) in zip((" (", ", "), shown, strict=False):
            pieces += [separator, word, value]
        return Phrase(*pieces, ")" if shown else "")

    def with_source(self, source: str) -> ImgtoolError:
        """Name the input at fault, where the code that raised did not know it; returns self."""
        if self.source is None:
            self.source = source
        return self

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name, for machine-readable reports."""
        fields = {
            "source": self.source,
            "offset": self.offset,
            "expected": self.expected,
            "found": self.found,
            "check": self.check,
            "moves": [move._asdict() for move in self.moves] or None,
        }
        return {name: value for name, value in fields.items() if value is not None}


def _show(value: str | int) -> str:
    return f"0x{value:02x}" if isinstance(value, int) else value


class FormatError(ImgtoolError, ValueError):
    """The bytes of an input do not have the structure that was asked for."""


class CutError(FormatError):
    """The bytes end before what was begun is complete."""


class CoveredHeaderError(FormatError):
    """A header is to be changed alone, and a check covers it that would hold no more."""


class PartOfFlashError(FormatError):
    """A dump is only a part of a flash, and what its firmware needs is in another one."""


class DamagedFilesError(FormatError):
    """A file system is damaged, so nothing in it is changed: what can be read of it could be lost."""


class WrongFileError(FormatError):
    """A file is no firmware at all, such as a web page.

    Args:
        message: What it is.
        kind: The same as :class:`imgtool.formats.reading.FileKind` has it.
        source: Its name.
        expected: What should have been there.
        found: What it is, in the words of its kind.
    """

    def __init__(
        self, message: str, *, kind: str, source: str | None = None, expected: str, found: str
    ) -> None:
        super().__init__(message, source=source, expected=expected, found=found)
        self.kind = kind

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "kind": self.kind}


class LayoutError(ImgtoolError, ValueError):
    """Parts overlap, do not fit the flash, or have no place that can be justified."""


class PartitionError(LayoutError):
    """A row of a partition table that cannot be.

    Args:
        message: What is wrong.
        partition: Name of the partition.
        offset: Its flash address.
        expected: What it should be.
        found: What it is.
    """

    def __init__(
        self,
        message: str,
        *,
        partition: str,
        offset: int | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(message, offset=offset, expected=expected, found=found)
        self.partition = partition


class TableRowError(LayoutError):
    """A partition table of the RTOS SDK has a row with which its boot loader starts nothing."""


class SlotRoomError(LayoutError):
    """An application of the RTOS SDK does not run in its partition, which is too small for it."""


class FileRoomError(LayoutError):
    """Files do not fit into a file system.

    Args:
        message: What does not fit, and where.
        too_many: Bytes of pages or blocks that are too many.
        source: Name of what they come from.
        expected: How much room there is.
        found: How much they need.
    """

    def __init__(
        self,
        message: str,
        *,
        too_many: int,
        source: str | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(message, source=source, expected=expected, found=found)
        self.too_many = too_many

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "too_many": self.too_many}


class FileNameError(LayoutError):
    """Files have names that a file system, or its firmware, cannot hold.

    Args:
        message: What is wrong with the first of them.
        names: All of them.
        source: Name of what they come from.
        expected: What a name may be.
        found: The first one, or how long it is.
    """

    def __init__(
        self,
        message: str,
        *,
        names: Sequence[str],
        source: str | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(message, source=source, expected=expected, found=found)
        self.names = tuple(names)

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "names": list(self.names)}


class FilePlaceError(LayoutError):
    """Nothing in a firmware tells where it looks for files, how much, or of which kind."""


class NoLayoutError(LayoutError):
    """Nothing tells what a firmware has where, although it starts and can be written as it is."""


class NoFirmwareError(LayoutError):
    """No image stands at the start of the flash of a device, so nothing tells where things are."""


class NoFilesError(LayoutError):
    """No file system is found in the flash of a device."""


class StatedSizeError(LayoutError):
    """The flash size in the image header on a device has no meaning, or is of no use to chip or firmware."""


class BringsOwnError(LayoutError):
    """The firmware on a device has compiled in what is asked for, and does not look for it in the flash."""


class PortError(ImgtoolError):
    """A port cannot be opened, or is lost."""


class ChipError(ImgtoolError):
    """The chip is silent, or refuses."""


class LineError(ChipError):
    """No answer came in time, or none that can be understood."""


class SilentError(ChipError):
    """Nothing answers a SYNC, whatever was tried.

    Args:
        message: What is wrong.
        source: The port's name.
        expected: What was waited for.
        found: What was tried.
        lines: How DTR and RTS of the port change, where that may be why: ``apart`` for one after the other.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        lines: str | None = None,
    ) -> None:
        super().__init__(message, source=source, expected=expected, found=found)
        self.lines = lines

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return super().data if self.lines is None else {**super().data, "lines": self.lines}


class SyncError(SilentError, LineError):
    """Nothing answers this SYNC; another speed or a reset may help."""


class RefusedError(ChipError):
    """The chip answers that it does not do what it was asked.

    Args:
        message: What is wrong.
        offset: Flash address that it is about.
        status: Its answer, as it came.
    """

    def __init__(self, message: str, *, offset: int | None = None, status: bytes = b"") -> None:
        super().__init__(message, offset=offset, found=status.hex() or None)
        self.status = status


class WrongChipError(ChipError):
    """The chip is another one than it should be."""


class FlashError(ChipError):
    """The flash does not do what it is told."""


class NoFlashError(FlashError):
    """The flash gives no ID."""


class ProtectedError(FlashError):
    """The flash is write-protected.

    Args:
        message: What is wrong.
        bits: The protection bits that are set in its status register 1.
    """

    def __init__(self, message: str, *, bits: int) -> None:
        super().__init__(
            message,
            expected="status register 1 without protection bits",
            found=f"0x{bits:02x}",
            check="protection",
        )
        self.bits = bits


class StubError(ChipError):
    """The flasher stub is of no use."""


class MissingStubError(StubError):
    """The flasher stub that is asked for is not installed."""


class StubLineError(StubError, LineError):
    """The flasher stub does not start, or reads amiss: the line may be to blame."""


class VerifyError(ImgtoolError):
    """The flash was written, but reads back differently.

    Args:
        message: What is wrong.
        sectors: Flash addresses of the sectors that differ.
        cause: What may be the reason, in words.
        offset: Flash address of the first byte that differs, if it is known.
        expected: The bytes that should be there, hex.
        found: The bytes that are there, hex.
    """

    def __init__(
        self,
        message: str,
        *,
        sectors: tuple[int, ...] = (),
        cause: str = "",
        offset: int | None = None,
        expected: str | None = None,
        found: str | None = None,
    ) -> None:
        super().__init__(message, offset=offset, expected=expected, found=found)
        self.sectors = sectors
        self.cause = cause

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "sectors": list(self.sectors), "cause": self.cause}


class LostThing(Protocol):
    """Something that would be lost, as far as an error has to know it."""

    @property
    def kind(self) -> str:
        """What it is, by what can be done about it."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def start(self) -> int:
        """Its flash address."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def reason(self) -> str:
        """Why it is lost, as a sentence without a full stop."""

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files in it, as far as they were looked at."""

    @property
    def data(self) -> dict[str, Any]:
        """Its fields by name, for machine-readable reports."""


class LossError(ImgtoolError):
    """Something of the user's would be lost, and nothing was written.

    Args:
        message: What, as one sentence without a full stop.
        losses: Each thing that would be lost and that nobody has given up.
        source: The board's port, or the file that stands for it.
    """

    def __init__(self, message: str, *, losses: Sequence[LostThing], source: str | None = None) -> None:
        super().__init__(message, source=source)
        self.losses = tuple(losses)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of what would be lost, each once."""
        return tuple(dict.fromkeys(str(loss.kind) for loss in self.losses))

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "losses": [loss.data for loss in self.losses]}


class RehearsalError(ImgtoolError):
    """What would be written was booted in memory, and does not do what it should: nothing was written.

    Args:
        message: What it does, as one sentence without a full stop.
        line: The last line that it said; empty for nothing.
        expected: What it should do.
        found: Why it does not.
    """

    def __init__(
        self, message: str, *, line: str = "", expected: str | None = None, found: str | None = None
    ) -> None:
        super().__init__(message, expected=expected, found=found)
        self.line = line

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "line": self.line}


class NotSaidError(ImgtoolError):
    """Firmware on the virtual board did not say what was waited for.

    Args:
        wanted: The words, or what they are.
        seconds: How long was waited, by the chip's clock.
        lines: The last lines that it said meanwhile.
        missing: What of the boot ROM it needed and there is not, where that has ended it.
    """

    def __init__(
        self, wanted: str, *, seconds: float, lines: tuple[str, ...] = (), missing: str | None = None
    ) -> None:
        why = f": it needs {missing} of the boot ROM, which is not there" if missing is not None else ""
        super().__init__(
            f"the firmware did not say it in {seconds:g} s of the chip's time{why}",
            expected=wanted,
            found=lines[-1].strip() if lines else "nothing",
        )
        self.wanted, self.seconds, self.lines, self.missing = wanted, seconds, lines, missing

    @property
    def data(self) -> dict[str, Any]:
        """The fields that are known, by name."""
        return {**super().data, "lines": list(self.lines), "missing": self.missing}


class UsageError(ImgtoolError):
    """Something is asked for that makes no sense, or a file that is named cannot be used.

    Attributes:
        hint: What to do about this very one; None where the help of the command says it.
    """

    hint: str | None = None


class InterruptedRunError(ImgtoolError):
    """The user has stopped it in the middle."""
