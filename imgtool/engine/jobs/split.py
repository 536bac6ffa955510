"""Split an image back into the parts that it was merged from, named by flash address.

Not the cutting (imgtool.operations.extract), and no file is written: the result has the parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from imgtool.device.events import Event, ignore
from imgtool.engine.documents import document, finding_fields
from imgtool.engine.placing import content_of, piece_fields, pieces_table
from imgtool.engine.results import Output, Words
from imgtool.engine.stopping import stoppable
from imgtool.engine.verdicts import DONE
from imgtool.errors import ImgtoolError
from imgtool.operations.extract.split import split as cut
from imgtool.phrase import Name, Phrase

if TYPE_CHECKING:
    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.operations.extract.split import Split

__all__ = ["SplitRequest", "SplitResult", "split"]

_STEPS: Final = 1


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What is to be split.

    Attributes:
        file: An aggregated image, a flash image or a Tuya OTA file; its place does not matter.
        folder: Where the parts go, as a path.
    """

    file: InputFile
    folder: str = "."


@dataclass(frozen=True, slots=True)
class SplitResult:
    """The parts that an image was made of.

    Attributes:
        name: What the image is called.
        folder: Where the parts go, as a path.
        parts: The parts, and what is to be said.
    """

    name: str
    folder: str
    parts: Split

    @property
    def ok(self) -> bool:
        """Always true, as what cannot be split is an error."""
        return True

    @property
    def code(self) -> int:
        """The exit code."""
        return DONE

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The parts in address order, in their folder."""
        return tuple(Output(self._path_of(piece.name), piece.data) for piece in self.parts.pieces)

    def _path_of(self, name: str) -> str:
        return str(PurePath(self.folder) / name)

    @property
    def document(self) -> Document:
        """What ``imgtool split --json`` prints."""
        parts = self.parts
        fields = {
            "path": self.name,
            "size": parts.size,
            "fill": parts.fill,
            "parts": [{**piece_fields(piece), "path": self._path_of(piece.name)} for piece in parts.pieces],
            "findings": [finding_fields(finding) for finding in parts.findings],
        }
        return document("split", ok=self.ok, results=[fields])

    @property
    def words(self) -> Words:
        """What a person is told."""
        count, folder = len(self.parts.pieces), Name(self.folder)
        several = Phrase(f"{count} parts in ", folder, ", to be flashed at these addresses:")
        return Words(
            verdict=several if count != 1 else Phrase("1 part in ", folder, ":"),
            tables=(pieces_table(self.parts.pieces, head="file"),),
            findings=self.parts.findings,
        )


@stoppable()
def split(request: SplitRequest, on_event: Listener = ignore) -> SplitResult:
    """Cut an image into its parts: the inverse of merge, so that nothing is trimmed.

    Args:
        request: What is to be split.
        on_event: Told of each step.

    Raises:
        FormatError: It is no aggregated image and no flash image, or a record is damaged.
        LayoutError: It holds addresses that are not those of flash.
        InterruptedRunError: It was stopped; nothing was written.
    """
    file = request.file
    on_event(Event("split", 0, _STEPS, file.name))
    data = content_of(file).data
    try:
        parts = cut(data)
    except ImgtoolError as error:
        raise error.with_source(file.name) from None
    on_event(Event("split", _STEPS, _STEPS, file.name))
    return SplitResult(file.name, request.folder, parts)
