"""A file changed, or what would change: field by field and byte by byte; and the fields of init data.

Not the changing (imgtool.operations.patch).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.numbers import number_of_32_bits
from imgtool.engine.placing import (
    INIT_DATA_CHOICES,
    KEEP,
    content_of,
    content_piece,
    filesystem_piece,
    form_by_name,
    header_change,
    init_source,
)
from imgtool.engine.results import Output, Row, Table, Tone, Toned, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import ImgtoolError, UsageError
from imgtool.formats.regions.init_data import FIELDS
from imgtool.operations.assemble.pieces import Piece
from imgtool.operations.patch.steps import LOAD_ADDRESSES, Changes, Write
from imgtool.operations.patch.steps import patch as make
from imgtool.operations.patch.table import REST, TableChange
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.placing import FileContent
    from imgtool.formats.regions.init_data import Field
    from imgtool.operations.patch.edits import Difference
    from imgtool.operations.patch.steps import Patched

__all__ = [
    "INIT_DATA_SOURCES",
    "PatchRequest",
    "PatchResult",
    "SettableResult",
    "Write",
    "patch",
    "settable",
    "table_change",
]

INIT_DATA_SOURCES: Final = tuple(choice for choice in INIT_DATA_CHOICES if choice != "none")
"""Where init data can come from, beside a file."""

_RAW: Final = "bin"
_REST: Final = "rest"
_MOST_RUNS: Final = 24
_MOST_BYTES: Final = 8  # of a run


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchRequest:
    """A file to change.

    Attributes:
        file: An image, a dump, init data, or a file of records with one of them.
        output: Where the result goes: the file's own name to replace it, None to see what would change.
        mode: Flash mode for the header; ``keep`` leaves it, as for all words here.
        freq: Flash frequency.
        size: Flash size.
        old_size: The same as old tools spell it, in megabits too: ``32m`` is 4MB.
        entry: Entry point.
        init_data: Init data to put in: ``auto``, ``keep``, ``v05`` or ``v08``.
        init_file: A file with init data, which takes the place of ``init_data``.
        init_fields: Fields of the init data to set, by name, as texts.
        table: Entries of NodeMCU's partition table.
        lfs: An LFS image for its partition.
        filesystem: A file system image; its place is an address, None where the firmware looks for it.
        writes: Bytes for flash addresses, or for load addresses.
        repair: Whether checks that were wrong before are made right.
    """

    file: InputFile
    output: str | None = None
    mode: str = KEEP
    freq: str = KEEP
    size: str = KEEP
    old_size: str = KEEP
    entry: int | None = None
    init_data: str = KEEP
    init_file: InputFile | None = None
    init_fields: Mapping[str, str] = field(default_factory=dict)
    table: TableChange = field(default_factory=TableChange)
    lfs: InputFile | None = None
    filesystem: InputFile | None = None
    writes: tuple[Write, ...] = ()
    repair: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """A changed file.

    Attributes:
        name: Name of the file.
        output: Where the result goes, None for a dry run.
        patched: What changed.
        data: The result as a file: raw, or as records where the output's name asks for them, or where the
            file is one of records and is replaced.
        note: What is to be said of the request; empty for nothing.
    """

    name: str
    output: str | None
    patched: Patched = field(repr=False)
    data: bytes = field(repr=False)
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether all checks of the result hold."""
        return self.patched.after.ok

    @property
    def code(self) -> int:
        """The exit code of ``patch``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``patch`` prints under ``--json``."""
        from imgtool.engine.documents import document, patch_fields, warnings_of  # noqa: PLC0415 - for programs alone

        fields = patch_fields(self.name, self.output, self.patched)
        warnings = warnings_of(self.patched.findings, self.note)
        return document("patch", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """How much changed; if anything did, tables of fields and of bytes; what the output is."""
        made = self.patched
        count = sum(len(run.new) for run in made.differences)
        verb = "would change" if self.output is None else "changed"
        changed = f"{count:,} byte{'' if count == 1 else 's'} {verb}"
        said = changed if made.differences else "nothing changes, it is so already"
        return Words(
            verdict=Phrase(Name(self.name), f": {said}"),
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            rows=() if self.output is None else (Row(Name(self.output), self._state()),),
            tables=(_field_table(made), _byte_table(made.differences)) if made.differences else (),
            findings=made.findings,
            notes=(self.note,) if self.note else (),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The changed file; nothing for a dry run."""
        return () if self.output is None else (Output(self.output, self.data),)

    def _state(self) -> str:
        after = self.patched.after
        kind = "all checks hold" if after.checksums else "it has no checks"
        return f"{len(self.patched.data):,} bytes, {kind if after.ok else 'it is damaged, as it was before'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettableResult:
    """The fields of init data that can be set.

    Attributes:
        fields: In the order of the file.
    """

    fields: tuple[Field, ...]

    @property
    def ok(self) -> bool:
        """Yes."""
        return True

    @property
    def code(self) -> int:
        """The exit code of ``patch --set list``."""
        return DONE

    @property
    def document(self) -> Document:
        """What ``patch --set list`` prints under ``--json``."""
        from imgtool.engine.documents import document, settable_fields  # noqa: PLC0415 - for programs alone

        return document("patch", ok=True, results=settable_fields(self.fields))

    @property
    def words(self) -> Words:
        """A table: name, range and usual value, meaning."""
        rows = tuple(
            (each.name, f"{each.range_text}; v05 has {each.show(each.default[0])}", each.meaning)
            for each in self.fields
        )
        return Words(verdict=f"{len(rows)} fields of init data can be set", tables=(Table(rows=rows),))

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()


def settable() -> SettableResult:
    """The fields of init data that can be set."""
    return SettableResult(fields=tuple(each for each in FIELDS if each.settable))


def table_change(
    lfs_address: str | None, lfs_size: str | None, spiffs_address: str | None, spiffs_size: str | None
) -> TableChange:
    """A change of NodeMCU's partition table, from words; None keeps a value, ``rest`` is what is left.

    Raises:
        UsageError: A word is no number of 32 bits.
    """
    rest = spiffs_size is not None and spiffs_size.lower() == _REST
    size = REST if rest else _number(spiffs_size)
    return TableChange(_number(lfs_address), _number(lfs_size), _number(spiffs_address), size)


def _number(word: str | None) -> int | None:
    return None if word is None else number_of_32_bits(word)


def patch(request: PatchRequest, on_event: Listener = ignore) -> PatchResult:
    """Change a file; every check over it is right afterwards.

    Args:
        request: The file, and what is to be changed.
        on_event: Told when what is to be put in is read, and when the file is changed.

    Raises:
        UsageError: A word of the request makes no sense, or nothing is to be changed.
        FormatError: The file cannot be changed so, or an input is not what it should be.
        LayoutError: Something does not fit, or would be written twice.
        InterruptedRunError: It was stopped.
    """
    name = request.file.name
    with stoppable():
        on_event(Event("patch", 0, 2, name))
        changes, note = _changes(request)
        content = content_of(request.file)
        on_event(Event("patch", 1, 2, name))
        try:
            made = make(content.data, replace(changes, writes=_moved(changes.writes, content)))
        except ImgtoolError as error:
            raise error.with_source(name) from None
        if content.start:
            note = Phrase(f"offsets count from 0x{content.start:06x} on, the lowest address in ", Name(name))
        data = _encoded(content, made, name, request.output)
    return PatchResult(name=name, output=request.output, patched=made, data=data, note=note or "")


def _changes(request: PatchRequest) -> tuple[Changes, str | None]:
    """What is to be changed, and a note on how it was asked for."""
    if request.init_data == "none" and request.init_file is None:
        raise UsageError("init data is not taken out", expected=", ".join(INIT_DATA_SOURCES), found="none")
    header, note = header_change(request.mode, request.freq, request.size, request.old_size)
    table = request.table
    for value in (
        request.entry,
        *(table.lfs_address, table.lfs_size, table.spiffs_address, table.spiffs_size),
        *(write.address for write in request.writes),
    ):
        if value is not None:
            number_of_32_bits(value)
    changes = Changes(
        header=header,
        entry=request.entry,
        init_data=init_source(request.init_data, request.init_file, request.init_fields),
        table=table,
        lfs=None if request.lfs is None else content_piece(request.lfs),
        filesystem=None if request.filesystem is None else filesystem_piece(request.filesystem),
        writes=request.writes,
        repair=request.repair,
    )
    if changes == Changes():
        raise UsageError("nothing is to be changed", expected="an option that says what")
    return changes, note


def _moved(writes: Sequence[Write], content: FileContent) -> tuple[Write, ...]:
    """The writes to flash addresses of records as offsets from the lowest one."""
    moved = []
    for write in writes:
        if not content.start or write.address >= LOAD_ADDRESSES:
            moved.append(write)
            continue
        if write.address < content.start:
            raise UsageError(
                "the file begins behind that address",
                expected=f"0x{content.start:x} or more",
                found=f"0x{write.address:x}",
            )
        moved.append(replace(write, address=write.address - content.start))
    return tuple(moved)


def _encoded(content: FileContent, made: Patched, name: str, output: str | None) -> bytes:
    """The file's bytes: raw, or as records where the output's name asks for them or the file is replaced."""
    form = content.form if output == name else _RAW if output is None else form_by_name(output)
    if form == _RAW:
        return made.data
    from imgtool.operations.assemble.encode import records_of  # noqa: PLC0415 - few files are records

    return records_of(made.data, content.pieces or (Piece(0, made.data, Name(name)),), form)


def _field_table(made: Patched) -> Table:
    rows = tuple(
        (
            edit.field,
            f"0x{edit.offset:06x}",
            edit.old,
            edit.new,
            Toned("follows", Tone.DIM) if edit.follows else "",
        )
        for edit in made.edits
        if edit.old != edit.new or edit.data
    )
    return Table(rows=rows, head=("field", "offset", "old", "new", ""))


def _byte_table(runs: Sequence[Difference]) -> Table:
    rows = tuple(
        (f"0x{run.offset:06x}", f"{len(run.new):,}", _hex(run.old), _hex(run.new))
        for run in runs[:_MOST_RUNS]
    )
    left = len(runs) - len(rows)
    below = f"and {left:,} runs more" if left else ""
    return Table(rows=rows, head=("offset", "bytes", "old", "new"), right=(1,), below=below)


def _hex(block: bytes) -> str:
    shown = block[:_MOST_BYTES].hex(" ")
    return (shown + " ..." if len(block) > _MOST_BYTES else shown) or "none"
