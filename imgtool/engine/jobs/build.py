"""The images of a linked program: a pair, one file, or the image of a whole flash; how full the memories are.

Not the building (imgtool.operations.building), and no look at folders: whoever calls says what is one.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from imgtool.device.events import Event, ignore
from imgtool.engine.placing import KEEP, header_change, init_source, size_name
from imgtool.engine.results import Output, Table, Tone, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import ImgtoolError, UsageError
from imgtool.formats.reading import Severity
from imgtool.operations.actions import Cure, PlacedFile, flash
from imgtool.operations.assemble.pieces import address_in_name
from imgtool.operations.building.images import build as make
from imgtool.phrase import Name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.formats.reading import Checksum, Finding
    from imgtool.operations.assemble.extras import InitDataSource
    from imgtool.operations.assemble.pieces import HeaderChange
    from imgtool.operations.building.images import Built, BuiltSegment
    from imgtool.operations.building.memory_use import MemoryUse

__all__ = ["BuildRequest", "BuildResult", "BuiltOutput", "build"]

_AUTO: Final = "auto"
_OTA, _APPLICATION = 2, 3
_BEHIND: Final = {
    _OTA: ", behind a boot loader at 0x00000",
    _APPLICATION: ", behind the RTOS SDK's boot loader at 0x00000 and its partition table at 0x08000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """A linked program to build images of.

    Attributes:
        elf: The program.
        version: 1 for the pair that the boot ROM starts, 2 for one image that a boot loader starts, 3 for an
            application of the RTOS SDK; None for 3 where it is a program of that, else 1.
        output: A file; for a pair what its names begin with, or a folder.  None for beside the program.
        into_folder: Whether ``output`` is a folder, which may have to be made.
        mode: Flash mode for the header.
        freq: Flash frequency.
        size: Flash size; ``keep`` for 1MB, or that of ``fullimage``.
        old_size: The same as old tools spell it, in megabits too: ``32m`` is 4MB.
        slot: For version 2 the slot number that the SDK's own tool writes.
        use_segments: Whether program headers are read instead of sections.
        merge: Whether the pair becomes one file.
        fullimage: The size of a whole flash to make the image of.
        init_data: Init data for it: ``auto``, ``keep``, ``none``, ``v05`` or ``v08``.
        init_file: A file with init data, which takes the place of ``init_data``.
        init_fields: Fields of the init data to set, by name, as texts.
        dry_run: Whether nothing is to be written.
    """

    elf: InputFile
    version: int | None = None
    output: str | None = None
    into_folder: bool = False
    mode: str = "qio"
    freq: str = "40m"
    size: str = KEEP
    old_size: str = KEEP
    slot: int | None = None
    use_segments: bool = False
    merge: bool = False
    fullimage: str | None = None
    init_data: str = _AUTO
    init_file: InputFile | None = None
    init_fields: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


class BuiltOutput(NamedTuple):
    """A file to write: its path, its flash address, its bytes, the check in it."""

    path: str
    address: int
    data: bytes
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """What was built.

    Attributes:
        name: Name of the program.
        built: The images.
        files: The files that they make.
        findings: What is to be said of the images, then of the files.
        written: Whether the files are to be written.
        note: What is to be said of the request; empty for nothing.
    """

    name: str
    built: Built = field(repr=False)
    files: tuple[BuiltOutput, ...] = field(repr=False)
    findings: tuple[Finding, ...]
    written: bool
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether all checks of the files hold."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def code(self) -> int:
        """The exit code of ``build``."""
        return DONE if self.ok else NO

    @property
    def document(self) -> Document:
        """What ``build`` prints under ``--json``."""
        from imgtool.engine import documents  # noqa: PLC0415 - for programs alone

        built = self.built
        fields = {
            "path": self.name,
            "version": built.version,
            "written": self.written,
            "header": documents.header_fields(built.header),
            "flash_size": built.size,
            "files": [_file_fields(each) for each in self.files],
            "segments": [_segment_fields(segment) for segment in built.segments],
            "irom": None if built.irom is None else _segment_fields(built.irom),
            "memory": [_memory_fields(use) for use in built.memory],
            "findings": [documents.finding_fields(finding) for finding in self.findings],
        }
        warnings = documents.warnings_of(self.findings, self.note)
        return documents.document("build", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """The header; tables of how full memories are, what is in them, their limits, and of the files."""
        header, memory = self.built.header, self.built.memory
        version = self.built.version
        what = "application of the RTOS SDK 3" if version == _APPLICATION else f"version {version}"
        return Words(
            verdict=f"{what}, {header.mode}, {header.freq}, {self.built.size}, "
            f"entry point 0x{header.entry:08x}",
            tone=Tone.PLAIN if self.ok else Tone.WRONG,
            tables=(
                _memory_table(memory),
                _section_table(memory),
                Table(
                    rows=tuple((use.name, _limit_words(use)) for use in memory), head=("memory", "limit from")
                ),
                _file_table(self.files, written=self.written),
            ),
            findings=self.findings,
            notes=(self.note,) if self.note else (),
            cures=(self._to_flash(),) if self.written else (),
        )

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The files to write; none for a dry run."""
        return tuple(Output(each.path, each.data) for each in self.files) if self.written else ()

    def _to_flash(self) -> Cure:
        """How the files come into a flash."""
        behind = _BEHIND.get(self.built.version, "")
        words = shlex.join(word for each in self.files for word in _flash_words(each))
        return Cure(
            f"To flash {'it' if len(self.files) == 1 else 'them'}{behind}:",
            (f"imgtool flash {words}",),
            (flash(*(PlacedFile(each.path, each.address) for each in self.files)),),
        )


def build(request: BuildRequest, on_event: Listener = ignore) -> BuildResult:
    """Build the images of a linked program.

    Args:
        request: The program, and what is to be made of it.
        on_event: Told when the images are built, and when the files are made of them.

    Raises:
        UsageError: A word of the request makes no sense.
        FormatError: It is no program for this chip, or cannot be made such an image.
        LayoutError: Something does not fit its memory or the flash, overlaps, or lies nowhere.
        InterruptedRunError: It was stopped.
    """
    name = request.elf.name
    _check(request)
    with stoppable():
        on_event(Event("build", 0, 2, name))
        whole = None if request.fullimage is None else size_name(request.fullimage)[0]
        init_data = None if whole is None else _init_data(request)
        header, note = _header(request, whole)
        try:
            built = make(
                request.elf.data,
                request.version,
                header=header,
                slot=request.slot,
                use_segments=request.use_segments,
            )
            if built.version == _APPLICATION and (request.merge or whole is not None):
                raise _one_file(built.version)
            on_event(Event("build", 1, 2, name))
            files, findings = _files(request, built, whole, init_data)
        except ImgtoolError as error:
            raise error.with_source(name) from None
    return BuildResult(
        name=name,
        built=built,
        files=files,
        findings=(*built.findings, *findings),
        written=not request.dry_run,
        note=note or "",
    )


def _check(request: BuildRequest) -> None:
    version, slot = request.version, request.slot
    if version not in (None, 1, _OTA, _APPLICATION):
        raise UsageError("there is no such image version", expected="1, 2 or 3", found=str(version))
    if slot is not None and slot not in (1, 2):
        raise UsageError("there is no such slot", expected="1 or 2", found=str(slot))
    if slot is not None and version != _OTA:
        raise UsageError(
            f"a version-{version or 1} image has no slot", expected="--version 2", found=f"--slot {slot}"
        )
    if (request.merge or request.fullimage is not None) and version not in (None, 1):
        raise _one_file(version)
    other_init_data = request.init_data != _AUTO or request.init_file is not None or request.init_fields
    if request.fullimage is None and other_init_data:
        raise UsageError("init data goes into the image of a whole flash", expected="--fullimage SIZE")


def _one_file(version: int) -> UsageError:
    what = "an application of the RTOS SDK" if version == _APPLICATION else f"a version-{version} image"
    return UsageError(
        f"{what} is one file, and needs a boot loader before it in a flash",
        expected="--merge and --fullimage with --version 1",
        found=f"--version {version}",
    )


def _init_data(request: BuildRequest) -> InitDataSource:
    return init_source(request.init_data, request.init_file, request.init_fields)


def _header(request: BuildRequest, whole: str | None) -> tuple[HeaderChange, str | None]:
    """The header, and a note on the spelling of its size."""
    change, note = header_change(request.mode, request.freq, request.size, request.old_size)
    if change.mode is None or change.freq is None:
        raise UsageError(
            "there is no header yet that could be kept", expected="a mode and a frequency", found=KEEP
        )
    if whole is not None and change.size not in (None, whole):
        raise UsageError(
            "two flash sizes are given", expected=f"--fullimage {whole} alone", found=change.size
        )
    return (change if whole is None else replace(change, size=whole)), note


def _files(
    request: BuildRequest, built: Built, whole: str | None, init_data: InitDataSource | None
) -> tuple[tuple[BuiltOutput, ...], tuple[Finding, ...]]:
    """The files, and what is to be said of them beside the build."""
    stem = str(PurePath(request.elf.name).with_suffix(""))
    check = built.files[0].checksum
    if whole is not None and init_data is not None:
        from imgtool.operations.assemble.fullimage import Extras, fullimage  # noqa: PLC0415 - slow, and rare

        made = fullimage(built.pieces, whole, Extras(init_data))
        path = _one_path(request, f"{stem}-{whole}.bin")
        return (BuiltOutput(path, 0, made.data, check),), (*made.findings, *made.description.findings)
    if request.merge:
        from imgtool.operations.assemble.merge import merge  # noqa: PLC0415 - slow, and rare

        return (BuiltOutput(_one_path(request, f"{stem}.bin"), 0, merge(built.pieces).data, check),), ()
    if built.version == _APPLICATION:
        (file,) = built.files
        path = _one_path(request, f"{stem}.bin")
        return (BuiltOutput(path, file.address, file.data, file.checksum),), ()
    if built.version == _OTA:
        (file,) = built.files
        path = _one_path(request, f"{stem}-{file.suffix}")
        return (BuiltOutput(path, file.address, file.data, file.checksum),), ()
    return tuple(
        BuiltOutput(_pair_path(request, file.suffix), file.address, file.data, file.checksum)
        for file in built.files
    ), ()


def _pair_path(request: BuildRequest, suffix: str) -> str:
    if request.output is None:
        return f"{request.elf.name}-{suffix}"
    # A prefix is one to the letter, as esptool has it.
    folder = request.into_folder
    return str(PurePath(request.output) / suffix if folder else PurePath(request.output + suffix))


def _one_path(request: BuildRequest, usual: str) -> str:
    if request.output is None:
        return usual
    output = PurePath(request.output)
    return str(output / PurePath(usual).name if request.into_folder else output)


# For programs.


def _flash_words(output: BuiltOutput) -> list[str]:
    """The file for ``flash``, with its address where the name does not end in it."""
    named = address_in_name(PurePath(output.path).name)
    return [output.path] if (named or 0) == output.address else [f"0x{output.address:05x}", output.path]


def _file_fields(output: BuiltOutput) -> dict[str, Any]:
    from imgtool.engine.documents import checksum_fields  # noqa: PLC0415 - for programs alone

    return {
        "path": output.path,
        "address": output.address,
        "size": len(output.data),
        "sha256": hashlib.sha256(output.data).hexdigest(),
        "checksum": None if output.checksum is None else checksum_fields(output.checksum),
    }


def _segment_fields(segment: BuiltSegment) -> dict[str, Any]:
    return {
        "name": segment.name,
        "address": segment.address,
        "size": segment.size,
        "memory": segment.memory,
    }


def _memory_fields(use: MemoryUse) -> dict[str, Any]:
    return {
        "name": use.name,
        "start": use.start,
        "used": use.used,
        "free": use.free,
        "limit": use.limit,
        "source": use.source,
        "sections": [
            {
                "name": section.name,
                "address": section.address,
                "size": section.size,
                "loaded": section.loaded,
            }
            for section in use.sections
        ],
    }


# For people.


def _memory_table(memory: Sequence[MemoryUse]) -> Table:
    rows = tuple(
        (use.name, f"{use.used:,}", f"{use.free:,}", f"{use.limit:,}", f"{100 * use.used // use.limit}%")
        for use in memory
    )
    return Table(rows=rows, head=("memory", "used", "free", "limit", ""), right=(1, 2, 3, 4))


def _section_table(memory: Sequence[MemoryUse]) -> Table:
    rows = tuple(
        (
            use.name,
            f"0x{section.address:08x}",
            f"{section.size:,}",
            section.name if section.loaded else f"{section.name}, not in the image",
        )
        for use in memory
        for section in use.sections
    )
    return Table(rows=rows, head=("memory", "address", "size", "section"), right=(2,))


def _limit_words(use: MemoryUse) -> str:
    return f"0x{use.start:08x} to 0x{use.start + use.limit - 1:08x}: {use.source}"


def _file_table(files: Sequence[BuiltOutput], *, written: bool) -> Table:
    rows = tuple(
        (f"0x{each.address:06x}", f"{len(each.data):,}", _check_words(each.checksum), Name(each.path))
        for each in files
    )
    head = "file" if written else "file, not written"
    return Table(rows=rows, head=("address", "size", "checksum", head), right=(1,))


def _check_words(checksum: Checksum | None) -> str:
    if checksum is None:
        return "none"
    return f"{checksum.name} 0x{checksum.stored:0{checksum.bits // 4}x}"
