"""Merge build outputs, or any files with addresses, into one image.

Not the joining (imgtool.operations.assemble), and no file is written: the result has its bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document, finding_fields, warnings_of
from imgtool.engine.numbers import number
from imgtool.engine.placing import KEEP, form_by_name, header_change, piece_fields, pieces_table, placed
from imgtool.engine.results import Output, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE
from imgtool.errors import UsageError
from imgtool.operations.assemble.merge import merge as join
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.operations.assemble.merge import Merged

__all__ = ["FORMATS", "MergeRequest", "MergeResult", "merge"]

FORMATS: Final = ("bin", "hex", "srec", "uf2")
"""Formats that an image can be written in."""

_RAW: Final = "bin"
_ERASED: Final = 0xFF
_BYTE: Final = 256
_STEPS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """What is to be merged.

    Attributes:
        files: The files, and where they go.
        output: Name of the image.
        fill: Value between the parts, as a number or as a user writes one; None for that of erased flash.
        pad_to: Length to fill up to, bytes, likewise; None for no more than is needed.
        form: ``bin``, ``hex``, ``srec`` or ``uf2``; None goes by the name of the image.
        mode: Flash mode in the header, or ``keep``.
        freq: Flash frequency, or ``keep``.
        size: Flash size, or ``keep``.
        old_size: The same as old tools spell it, in megabits too: ``32m`` is 4MB.
    """

    files: tuple[InputFile, ...]
    output: str = "merged.bin"
    fill: int | str | None = None
    pad_to: int | str | None = None
    form: str | None = None
    mode: str = KEEP
    freq: str = KEEP
    size: str = KEEP
    old_size: str = KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """An image that was merged.

    Attributes:
        merged: The image and its pieces.
        form: The format that it is written in.
        output: The file to write.
        inputs: Names of the files that went in, which must not be written over.
        spelling: A note on the spelling of the flash size; None for none.
    """

    merged: Merged
    form: str
    output: Output
    inputs: tuple[str, ...]
    spelling: str | None = None

    @property
    def ok(self) -> bool:
        """Always true, as what cannot be merged is an error."""
        return True

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The image."""
        return (self.output,)

    @property
    def document(self) -> Document:
        """What ``imgtool merge --json`` prints."""
        merged = self.merged
        fields = {
            "path": self.output.name,
            "format": self.form,
            "size": len(self.output.data),
            "fill": merged.fill,
            "parts": [piece_fields(piece) for piece in merged.pieces],
            "findings": [finding_fields(finding) for finding in merged.findings],
            "moves": [move._asdict() for move in merged.moves],
        }
        warnings = warnings_of(merged.findings, self.spelling)
        return document("merge", ok=self.ok, results=[fields], warnings=warnings)

    @property
    def words(self) -> Words:
        """What a person is told."""
        return Words(
            verdict=Phrase(Name(self.output.name), f": {len(self.output.data):,} bytes, {self.form}"),
            tables=(pieces_table(self.merged.pieces),),
            findings=self.merged.findings,
            notes=(self.spelling,) if self.spelling else (),
        )


@stoppable()
def merge(request: MergeRequest, on_event: Listener = ignore) -> MergeResult:
    """Merge files into one image.

    Args:
        request: What is to be merged.
        on_event: Told of each step.

    Raises:
        UsageError: No firmware is given, two files have no address, or a value has no meaning.
        FormatError: A file is damaged.
        LayoutError: Parts overlap, stand where they do not belong, or do not fit.
        InterruptedRunError: It was stopped; nothing was written.
    """
    on_event(Event("merge", 0, _STEPS, request.output))
    files = placed(request.files)
    change, spelling = header_change(request.mode, request.freq, request.size, request.old_size)
    form = _form(request)
    fill = _fill(request.fill)
    length = None if request.pad_to is None else number(request.pad_to, "size")
    if not files.pieces:
        raise UsageError(
            "no firmware is given, by which a named place could be found",
            expected="FILE",
            found=files.named[0][0],
        )
    pieces = files.pieces
    if files.named:
        from imgtool.operations.assemble.extras import place_by_name  # noqa: PLC0415 - few merges have any
        from imgtool.operations.flashing.sectors import into_fill  # noqa: PLC0415 - likewise

        for each in place_by_name(pieces, files.named, change.size):
            pieces = tuple(into_fill(pieces, each))
    on_event(Event("merge", 1, _STEPS, request.output))
    merged = join(pieces, header=change, fill_byte=fill, pad_to=length, verbatim=files.verbatim)
    merged = replace(merged, findings=(*files.findings, *merged.findings))
    on_event(Event("merge", 2, _STEPS, request.output))
    data = _encoded(merged, form, filled=request.fill is not None or request.pad_to is not None)
    on_event(Event("merge", _STEPS, _STEPS, request.output))
    output = Output(request.output, data)
    return MergeResult(merged=merged, form=form, output=output, inputs=files.inputs, spelling=spelling)


def _form(request: MergeRequest) -> str:
    form = request.form or form_by_name(request.output)
    if form not in FORMATS:
        raise UsageError("not a format of images", expected=", ".join(FORMATS), found=form)
    return form


def _fill(given: int | str | None) -> int:
    if given is None:
        return _ERASED
    value = number(given, "byte")
    if not 0 <= value < _BYTE:
        found = given if isinstance(given, str) else f"0x{given:x}"
        raise UsageError("not a byte", expected="0x00 to 0xFF", found=found)
    return value


def _encoded(merged: Merged, form: str, *, filled: bool) -> bytes:
    if form == _RAW:
        return merged.data
    from imgtool.operations.assemble.encode import encode  # noqa: PLC0415 - most images are raw

    return encode(merged, form, filled=filled)
