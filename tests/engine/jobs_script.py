"""What the engine's jobs make of the files in a folder, as JSON: the same on every machine that runs it.

``python jobs_script.py FOLDER`` prints one object: for each job its document, and the digests of the files
that it makes.  FOLDER holds the files of fixtures/make.py and ``boot.log``.  CPython runs it as it is, and
without what a browser has not (bare_platform.py), and Pyodide runs it; so it needs nothing but imgtool.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import pkgutil
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import imgtool
from imgtool.device.session import ConnectOptions
from imgtool.engine.documents import error_document
from imgtool.engine.inputs import InputFile
from imgtool.engine.jobs.advise import AdviseRequest, advise
from imgtool.engine.jobs.build import BuildRequest, build
from imgtool.engine.jobs.compare import CompareRequest, compare
from imgtool.engine.jobs.explain import ExplainRequest, explain
from imgtool.engine.jobs.extract import ExtractRequest, extract
from imgtool.engine.jobs.flash import FlashRequest, flash
from imgtool.engine.jobs.fullimage import FullImageRequest, fullimage
from imgtool.engine.jobs.inspect import InspectRequest, inspect
from imgtool.engine.jobs.merge import MergeRequest, merge
from imgtool.engine.jobs.patch import PatchRequest, patch
from imgtool.engine.jobs.read import ReadRequest, read
from imgtool.engine.jobs.split import SplitRequest, split
from imgtool.engine.ports import open_wire
from imgtool.errors import ImgtoolError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgtool.engine.results import Result

ENGINE: Final = ("engine", "operations", "virtual", "layout", "device", "formats")
"""The engine and all that it stands on."""

FOR_PYSERIAL: Final = ("imgtool.virtual.line.port", "imgtool.virtual.line.servers")
"""A virtual chip for other programs, as pyserial has ports; the engine imports none of it."""

PARTS: Final = ("sample/0x00000.bin", "sample/0x10000.bin")
DUMP, OTHER, ARDUINO = "dumps/nodemcu-2.2-4m.bin", "dumps/nodemcu-3-used-4m.bin", "dumps/arduino-4m.bin"
ELF: Final = "elf/app.elf"
LOG: Final = "boot.log"
CHIP, BOOT_SECONDS = "sim:4MB", 2.0


class Done(NamedTuple):
    """What a job comes to: its document and the files that it makes."""

    document: Mapping[str, Any]
    outputs: Mapping[str, bytes] = {}

    @classmethod
    def of(cls, result: Result) -> Done:
        """What a job gives back."""
        return cls(result.document, {output.name: output.data for output in result.outputs})


def imported() -> list[str]:
    """The modules of the engine and of what it stands on, all of them imported."""
    names = [
        module.name
        for module in pkgutil.walk_packages(imgtool.__path__, "imgtool.")
        if module.name.split(".")[1] in ENGINE and module.name not in FOR_PYSERIAL
    ]
    for name in names:
        importlib.import_module(name)
    return names


def done(folder: Path) -> Iterator[tuple[str, Done]]:
    """Every job, by its name and what it is about."""
    yield from _inspected(folder)
    yield from _made(folder)
    yield from _taken_apart(folder)
    yield from _judged(folder)
    yield from _flashed(folder)


def _inspected(folder: Path) -> Iterator[tuple[str, Done]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOG):
        name = path.relative_to(folder).as_posix()
        yield f"inspect {name}", Done.of(inspect(InspectRequest(files=(_file(folder, name),))))


def _file(folder: Path, name: str) -> InputFile:
    return InputFile(name, (folder / name).read_bytes())


def _firmware(folder: Path) -> tuple[InputFile, ...]:
    return tuple(_file(folder, name) for name in PARTS)


def _made(folder: Path) -> Iterator[tuple[str, Done]]:
    files = _firmware(folder)
    for form in ("bin", "hex", "srec", "uf2"):
        yield f"merge {form}", Done.of(merge(MergeRequest(files=files, output="out", form=form, size="4MB")))
    for size in ("1MB", "4MB", "256KB"):
        request = FullImageRequest(files=files, size=size, init_fields={"vdd33_const": "33"})
        try:
            yield f"fullimage {size}", Done.of(fullimage(request))
        except ImgtoolError as error:
            yield f"fullimage {size}", Done(error_document(error, ""))
    yield "build", Done.of(build(BuildRequest(elf=_file(folder, ELF))))


def _taken_apart(folder: Path) -> Iterator[tuple[str, Done]]:
    dump = _file(folder, DUMP)
    yield "split", Done.of(split(SplitRequest(file=dump, folder="parts")))
    for name in (DUMP, ARDUINO):
        request = ExtractRequest(file=_file(folder, name), output="files", files=True)
        yield f"extract {name}", Done.of(extract(request))
    changed = PatchRequest(file=dump, output="out", mode="dout", init_fields={"vdd33_const": "33"})
    yield "patch", Done.of(patch(changed))


def _judged(folder: Path) -> Iterator[tuple[str, Done]]:
    for a, b in ((DUMP, OTHER), (DUMP, DUMP), (ARDUINO, DUMP)):
        request = CompareRequest(a=_file(folder, a), b=_file(folder, b))
        yield f"compare {a} {b}", Done.of(compare(request))
    for old in (DUMP, OTHER, ARDUINO):
        upgrade = AdviseRequest(files=_firmware(folder), old=(_file(folder, old),))
        yield f"advise {old}", Done.of(advise(upgrade))
    log = ExplainRequest(log=(folder / LOG).read_bytes(), name=LOG)
    yield "explain", Done.of(explain(log))


def _flashed(folder: Path) -> Iterator[tuple[str, Done]]:
    files = _firmware(folder)[:1]
    size = len(files[0].data)
    for stub in ("none", "imgtool"):
        connect = ConnectOptions(stub=stub)
        with closing(open_wire(CHIP)) as wire:
            request = FlashRequest(files=files, force=frozenset({"place"}), connect=connect)
            yield f"flash {stub}", Done.of(flash(wire, request))
            found = read(wire, ReadRequest(size=size, output="out", connect=connect))
            assert found.data[4:] == files[0].data[4:]  # the header tells the size of the chip's flash now
            yield f"read {stub}", Done.of(found)


def main(folder: Path) -> str:
    """The names of all modules, the documents, and the digests of the files, as JSON."""
    made = {
        name: {
            "document": job.document,
            "files": {file: hashlib.sha256(data).hexdigest() for file, data in job.outputs.items()},
        }
        for name, job in done(folder)
    }
    return json.dumps({"modules": imported(), "jobs": made})


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))  # noqa: T201 - what it is for
