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

from imgtool.engine.images import BuildOutput, built_fields, full_image_fields, merged_fields, split_fields

import imgtool
from imgtool.device.events import ignore
from imgtool.device.session import ConnectOptions
from imgtool.engine.boot_logs import explain
from imgtool.engine.chips import read_fields
from imgtool.engine.connecting import connected, reader_of
from imgtool.engine.descriptions import described
from imgtool.engine.documents import (
    comparison_fields,
    description_fields,
    document,
    error_document,
    patch_fields,
    warnings_of,
)
from imgtool.engine.jobs.advise import advice_fields
from imgtool.engine.jobs.explain import explanation_fields
from imgtool.engine.jobs.extract import FileRow, extraction_fields, files_fields, is_damaged
from imgtool.engine.jobs.flash import Board, board_document
from imgtool.engine.ports import open_wire
from imgtool.engine.upgrades import advise
from imgtool.errors import ImgtoolError
from imgtool.operations.advise.old_flash import old_flash
from imgtool.operations.assemble.encode import encode
from imgtool.operations.assemble.extras import InitDataSource
from imgtool.operations.assemble.fullimage import Extras, fullimage
from imgtool.operations.assemble.merge import merge
from imgtool.operations.assemble.pieces import HeaderChange, Piece
from imgtool.operations.building.images import build
from imgtool.operations.compare.files import compare
from imgtool.operations.extract.parts import extract
from imgtool.operations.extract.split import split
from imgtool.operations.flashing.draft import FlashRequest, Target
from imgtool.operations.flashing.plan import plan_flash
from imgtool.operations.flashing.transfer import Job, read_flash, transfer
from imgtool.operations.inspect.file_systems import file_systems
from imgtool.operations.patch.steps import Changes, patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        description = described(path.read_bytes())
        fields = description_fields(name, description)
        yield f"inspect {name}", Done(document("inspect", ok=description.ok, results=[fields]))


def _pieces(folder: Path) -> list[Piece]:
    return [Piece(number << 16, (folder / name).read_bytes(), name) for number, name in enumerate(PARTS)]


def _made(folder: Path) -> Iterator[tuple[str, Done]]:
    pieces = _pieces(folder)
    merged = merge(pieces, header=HeaderChange(size="4MB"))
    for form in ("bin", "hex", "srec", "uf2"):
        data = encode(merged, form)
        fields = merged_fields(Path("out"), form, len(data), merged)
        warnings = warnings_of(merged.findings)
        yield (
            f"merge {form}",
            Done(document("merge", ok=True, results=[fields], warnings=warnings), {"out": data}),
        )
    for size in ("1MB", "4MB", "256KB"):
        try:
            made = fullimage(pieces, size, Extras(InitDataSource(changes={"vdd33_const": "33"})))
        except ImgtoolError as error:
            yield f"fullimage {size}", Done(error_document(error, ""))
            continue
        fields = full_image_fields(Path(made.name), made, written=True)
        warnings = warnings_of((*made.findings, *made.description.findings))
        results = document("fullimage", ok=made.description.ok, results=[fields], warnings=warnings)
        yield f"fullimage {size}", Done(results, {made.name: made.data})
    built = build((folder / ELF).read_bytes())
    outputs = [BuildOutput(Path(file.suffix), file.address, file.data, file.checksum) for file in built.files]
    fields = built_fields(Path(ELF), built, outputs, (), written=True)
    files = {str(output.path): output.data for output in outputs}
    yield "build", Done(document("build", ok=True, results=[fields]), files)


def _taken_apart(folder: Path) -> Iterator[tuple[str, Done]]:
    data = (folder / DUMP).read_bytes()
    cut = split(data)
    fields = split_fields(Path(DUMP), Path("parts"), cut)
    files = {piece.name: piece.data for piece in cut.pieces}
    yield "split", Done(document("split", ok=True, results=[fields]), files)
    for name in (DUMP, ARDUINO):
        taken = extract((folder / name).read_bytes(), name)
        found = file_systems(taken.data, taken.description)
        rows = [FileRow(system.kind, file, file.path) for system in found for file in system.files]
        findings = [finding for system in found for finding in system.findings]
        fields = extraction_fields(taken, Path(name), files_fields(rows, None), findings, written=False)
        ok = not is_damaged(findings)
        results = document("extract", ok=ok, results=[fields], warnings=warnings_of(findings))
        yield f"extract {name}", Done(results, {row.target: row.file.data for row in rows})
    changes = Changes(
        HeaderChange(mode="dout"), init_data=InitDataSource("keep", None, {"vdd33_const": "33"})
    )
    changed = patch(data, changes)
    fields = patch_fields(DUMP, "out", changed)
    yield "patch", Done(document("patch", ok=True, results=[fields]), {"out": changed.data})


def _judged(folder: Path) -> Iterator[tuple[str, Done]]:
    for a, b in ((DUMP, OTHER), (DUMP, DUMP), (ARDUINO, DUMP)):
        one, two = ((folder / name).read_bytes() for name in (a, b))
        fields = comparison_fields(a, b, compare(one, two))
        yield f"compare {a} {b}", Done(document("compare", ok=fields["same"], results=[fields]))
    for old in (DUMP, OTHER, ARDUINO):
        advice = advise(old_flash((folder / old).read_bytes()), _pieces(folder))
        fields = advice_fields(old, PARTS, advice)
        results = document("advise", ok=advice.ok, results=[fields], warnings=advice.notes)
        yield f"advise {old}", Done(results)
    explained = explain((folder / LOG).read_bytes())
    fields = explanation_fields(LOG, explained)
    yield "explain", Done(document("explain", ok=explained.ok, results=[fields]))


def _flashed(folder: Path) -> Iterator[tuple[str, Done]]:
    request = FlashRequest((_pieces(folder)[0],), init_data=InitDataSource())
    for stub in ("none", "imgtool"):
        with closing(open_wire(CHIP)) as wire:
            board = Board(CHIP)
            with connected(wire, ConnectOptions(stub=stub), ignore, run=False) as session:
                board.session, board.baud = session, session.baud
                chip, flash = session.chip, session.flash
                target = Target(chip.model, chip.embedded, chip.mac, flash.id, flash.bytes, flash.part)
                board.plan = plan = plan_flash(request, target, reader_of(session, ignore))
                board.transfer = transfer(session, Job(plan.pieces))
                first = plan.pieces[0]
                data = read_flash(session, first.address, len(first.data))
                assert data == first.data
                read = read_fields(session, "out", first.address, data, wire.clock.monotonic())
                session.run_firmware()
                board.look_at(session.read_boot_log(BOOT_SECONDS))
        yield f"flash {stub}", Done(board_document([(board, None)], None))
        yield f"read {stub}", Done(document("read", ok=True, results=[read]), {"out": data})


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
