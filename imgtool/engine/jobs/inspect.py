"""Inspect: what files are, their parts, every check, which firmware they hold.

Not the finding out (imgtool.operations.inspect), no map and no page: who draws them has the descriptions.
Start-up counts here: JSON and words are imported for those who ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from imgtool.engine.descriptions import code_of_descriptions, described
from imgtool.engine.stopping import stoppable
from imgtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgtool.device.events import Listener
    from imgtool.engine.documents import Document
    from imgtool.engine.inputs import InputFile
    from imgtool.engine.results import Output, Words
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["InspectRequest", "InspectResult", "InspectedFile", "inspect"]


class InspectRequest(NamedTuple):
    """What is to be looked at.

    Attributes:
        files: The files; their places do not matter.
        show_credentials: Whether networks and passwords that a dump holds are told, too.
    """

    files: tuple[InputFile, ...]
    show_credentials: bool = False


class InspectedFile(NamedTuple):
    """A file, and what it is.

    Attributes:
        name: What it is called.
        description: What it is.
        networks: The networks that it holds, with their passwords; None where they were not asked for.
    """

    name: str
    description: Description
    networks: tuple[StoredNetwork, ...] | None = None


class InspectResult(NamedTuple):
    """What files are.

    Attributes:
        files: Each, in the order in which they were given.
    """

    files: tuple[InspectedFile, ...]

    @classmethod
    def joined(cls, results: Iterable[InspectResult]) -> InspectResult:
        """Several results as one: what may be looked at apart, such as file by file, is told together."""
        return cls(tuple(file for result in results for file in result.files))

    @property
    def descriptions(self) -> tuple[Description, ...]:
        """What each file is."""
        return tuple(file.description for file in self.files)

    @property
    def ok(self) -> bool:
        """Whether no file has an error."""
        return all(description.ok for description in self.descriptions)

    @property
    def code(self) -> int:
        """The exit code, the highest of all files."""
        return code_of_descriptions(self.descriptions)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """No files."""
        return ()

    @property
    def document(self) -> Document:
        """What ``imgtool inspect --json`` prints."""
        from imgtool.engine.documents import description_fields, document  # noqa: PLC0415 - not for words

        results = [description_fields(file.name, file.description) for file in self.files]
        for fields, file in zip(results, self.files, strict=True):
            if file.networks is not None:
                from imgtool.engine.states import network_fields  # noqa: PLC0415 - few ask for them

                fields["networks"] = network_fields(file.networks)
        return document("inspect", ok=self.ok, results=results)

    @property
    def words(self) -> Words:
        """What a person is told of one file, or a table of several and what is wrong with which."""
        from imgtool.engine.file_tables import words_of, words_of_several  # noqa: PLC0415 - not for JSON

        if len(self.files) == 1:
            file = self.files[0]
            return words_of(file.description, file.networks)
        return words_of_several((file.name, file.description, file.networks) for file in self.files)


@stoppable("no file was changed, and what was found out is not kept")
def inspect(request: InspectRequest, on_event: Listener | None = None) -> InspectResult:
    """Say what files are; works on any bytes.

    Args:
        request: The files.
        on_event: Told the name of each file when its turn comes; None for nobody.

    Raises:
        UsageError: There is no file.
        InterruptedRunError: It was stopped.
    """
    if not request.files:
        raise UsageError("there is no file to look at", expected="files")
    count = len(request.files)
    found: list[InspectedFile] = []
    for done, file in enumerate(request.files):
        _tell(on_event, done, count, file.name)
        found.append(_inspected(file, networks=request.show_credentials))
    _tell(on_event, count, count)
    return InspectResult(tuple(found))


def _tell(on_event: Listener | None, done: int, total: int, name: str = "") -> None:
    if on_event is None:
        return
    from imgtool.device.events import Event  # noqa: PLC0415 - the command has no listener

    on_event(Event("inspect", done, total, name))


def _inspected(file: InputFile, *, networks: bool) -> InspectedFile:
    description = described(file.data)
    if not networks:
        return InspectedFile(file.name, description)
    state = description.state
    if state is None or state.system_param is None:
        return InspectedFile(file.name, description, ())
    from imgtool.operations.inspect.sdk_sectors import stored_networks  # noqa: PLC0415 - few ask for them

    return InspectedFile(file.name, description, stored_networks(file.data, state.system_param))
