"""The image of a whole flash: firmware, init data, blank sectors of the SDK, a file system, LFS.

Not the rules by which it is laid out (imgtool.operations.assemble, imgtool.layout), and no file is written:
the result has its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import description_fields, document, finding_fields, warnings_of
from imgtool.engine.inputs import new_files
from imgtool.engine.placing import (
    KEEP,
    content_piece,
    filesystem_piece,
    header_change,
    init_source,
    piece_fields,
    pieces_table,
    placed,
    size_name,
)
from imgtool.engine.results import Output, Row, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE, NO
from imgtool.errors import UsageError
from imgtool.operations.assemble.extras import AT_ITS_PLACE, own_init_data
from imgtool.operations.assemble.fullimage import Extras
from imgtool.operations.assemble.fullimage import fullimage as make
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import FolderFile, InputFile
    from imgtool.engine.placing import PlacedFiles
    from imgtool.formats.reading import Finding
    from imgtool.operations.assemble.fullimage import FullImage
    from imgtool.operations.assemble.pieces import Piece

__all__ = ["FullImageRequest", "FullImageResult", "fullimage"]

_STEPS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FullImageRequest:
    """What the image of a whole flash is made of.

    Attributes:
        files: The firmware, and what goes to named places.
        size: Name of the flash size.
        output: Name of the image; None for one made of the firmware's name and the size.
        init_data: ``auto``, ``keep``, ``none``, ``v05`` or ``v08``; None for ``auto``, or for what an
            extracted flash image has.
        init_file: A file with init data, in place of a choice.
        init_fields: Fields of the init data to set, by name, as texts.
        filesystem: A file system image; its place may be an address; None is where the firmware looks.
        lfs: An LFS image.
        content: Files of which a file system is made, as the firmware takes it; None for none.
        mode: Flash mode in the header, or ``keep``.
        freq: Flash frequency, or ``keep``.
        keep_header: Leave the size in the header as it is; it must agree with ``size`` then.
        dry_run: Only tell what it would be: the result has no outputs.
    """

    files: tuple[InputFile, ...]
    size: str
    output: str | None = None
    init_data: str | None = None
    init_file: InputFile | None = None
    init_fields: Mapping[str, str] = field(default_factory=dict)
    filesystem: InputFile | None = None
    lfs: InputFile | None = None
    content: tuple[FolderFile, ...] | None = None
    mode: str = KEEP
    freq: str = KEEP
    keep_header: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FullImageResult:
    """The image of a whole flash.

    Attributes:
        image: The image: its bytes, its pieces, what it is.
        name: What it is called.
        inputs: Names of the files that went in, which must not be written over.
        dry_run: Whether it is only told what it would be.
    """

    image: FullImage
    name: str
    inputs: tuple[str, ...]
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether all checks of the image hold."""
        return self.image.description.ok

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE if self.ok else NO

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The image; nothing for a dry run."""
        return () if self.dry_run else (Output(self.name, self.image.data),)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is to be said of its making, then of the image."""
        return (*self.image.findings, *self.image.description.findings)

    @property
    def document(self) -> Document:
        """What ``imgtool fullimage --json`` prints."""
        image = self.image
        fields = {
            **description_fields(self.name, image.description),
            "written": not self.dry_run,
            "flash_size": image.flash.name,
            "layout": image.rule,
            "pieces": [piece_fields(piece) for piece in image.pieces],
            "findings": [finding_fields(finding) for finding in self.findings],
        }
        warnings = warnings_of(self.findings)
        return document("fullimage", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told, beside the parts of the image on a map."""
        verb = "would be" if self.dry_run else "is"
        what = (
            f" {verb} the image of a whole flash of {self.image.flash.name}: {len(self.image.data):,} bytes"
        )
        return Words(
            verdict=Phrase(Name(self.name), what),
            rows=(Row("Layout", self.image.rule),),
            tables=(pieces_table(self.image.pieces),),
            findings=self.findings,
        )


@stoppable()
def fullimage(request: FullImageRequest, on_event: Listener = ignore) -> FullImageResult:
    """Make the image of a whole flash.

    Args:
        request: What it is made of.
        on_event: Told of each step.

    Raises:
        UsageError: No firmware is given, two files have no address, or a value has no meaning.
        FormatError: A file is damaged, or is not what it is given for.
        LayoutError: Something does not fit, overlaps, or has no place that can be justified; a FileRoomError
            says by how many bytes files do not fit, a FileNameError which names the firmware cannot open.
        InterruptedRunError: It was stopped; nothing was written.
    """
    on_event(Event("fullimage", 0, _STEPS, request.output or ""))
    flash, _ = size_name(request.size)
    change, _ = header_change(request.mode, request.freq)
    files = placed(request.files)
    if not files.pieces:
        raise UsageError(
            "no firmware is given", expected="FILE, or 0x00000.bin and 0x10000.bin", found=files.named[0][0]
        )
    extras = _extras(request, files)
    on_event(Event("fullimage", 1, _STEPS, request.output or ""))
    made = make(files.pieces, flash, extras, header=change, keep_header=request.keep_header)
    name = request.output or made.name
    on_event(Event("fullimage", _STEPS, _STEPS, name))
    others = (request.filesystem, request.lfs, request.init_file)
    return FullImageResult(
        image=replace(made, findings=(*files.findings, *made.findings)),
        name=name,
        inputs=(*files.inputs, *(file.name for file in others if file is not None)),
        dry_run=request.dry_run,
    )


def _default_init_data(files: PlacedFiles) -> str:
    """What stands for init data where nothing says: of an extracted flash image what it has, even none."""
    return own_init_data(files.pieces) if files.parts else "auto"


def _extras(request: FullImageRequest, files: PlacedFiles) -> Extras:
    source = init_source(
        request.init_data or _default_init_data(files), request.init_file, request.init_fields
    )
    extras = Extras(
        source,
        None if request.filesystem is None else filesystem_piece(request.filesystem),
        None if request.lfs is None else content_piece(request.lfs),
        None if request.content is None else new_files(request.content),
    )
    extras = _with_named(extras, files.named)
    if extras.files is not None and extras.filesystem is not None:
        raise UsageError(
            "two file systems are asked for", expected="files, or the image of a file system", found="both"
        )
    return extras


def _with_named(extras: Extras, named: Iterable[tuple[str, Piece]]) -> Extras:
    """The same with what goes to named places."""
    for name, piece in named:
        if name == "@lfs":
            extras = replace(extras, lfs=piece)
        elif name == "@spiffs":
            extras = replace(extras, filesystem=replace(piece, address=AT_ITS_PLACE))
        elif name == "@init-data":
            extras = replace(extras, init_data=replace(extras.init_data, choice="file", file=piece))
        else:
            raise UsageError(
                "the RF-cal sector of a new image is always blank", expected="no @rf-cal", found=name
            )
    return extras
