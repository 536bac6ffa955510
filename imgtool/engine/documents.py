"""Results as JSON documents, by the schema in docs/json.md.  No rich here: programs want a fast start."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from imgtool.formats.part_facts import facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from imgtool.errors import ImgtoolError
    from imgtool.formats.reading import Checksum, Finding, Firmware, Header, Part, SegmentInfo
    from imgtool.formats.regions.init_data import Field
    from imgtool.operations.actions import Cure
    from imgtool.operations.compare.values import Compared, Comparison
    from imgtool.operations.inspect.describe import Description
    from imgtool.operations.patch.edits import Difference
    from imgtool.operations.patch.steps import Patched
    from imgtool.virtual.line.replay import ReplayDifference

__all__ = [
    "ERROR_TYPES",
    "Document",
    "checksum_fields",
    "comparison_fields",
    "cure_fields",
    "description_fields",
    "document",
    "error_document",
    "error_fields",
    "finding_fields",
    "firmware_fields",
    "header_fields",
    "part_fields",
    "patch_fields",
    "replay_fields",
    "settable_fields",
    "text_of",
    "warnings_of",
]

Document = dict[str, Any]
"""A JSON object as Python has it: what the schema in docs/json.md describes."""

_SCHEMA = 1
_LONG_RUN = 4096  # bytes
_WIDEST_NUMBER = 32  # bits; wider check values are hex strings, as bytes are

ERROR_TYPES: Final = frozenset(
    {
        "UsageError",
        "FormatError",
        "LayoutError",
        "PortError",
        "UnusablePortError",
        "PortGoneError",
        "ChipError",
        "LineError",
        "RefusedError",
        "ProtectedError",
        "VerifyError",
        "LossError",
        "InterruptedRunError",
        "ImgtoolError",
    }
)
"""What ``error.type`` can be.  Programs compare it, so a class that is new to the tree is not added here: its
errors keep the type that they had before they had a class of their own."""


def document(
    command: str,
    *,
    ok: bool,
    results: Iterable[Mapping[str, Any]],
    warnings: Iterable[str] = (),
) -> Document:
    """The document of a job: what its command prints under ``--json``."""
    return {
        "schema": _SCHEMA,
        "command": command,
        "ok": ok,
        "results": list(results),
        "warnings": list(warnings),
    }


def error_document(error: ImgtoolError, hint: str) -> Document:
    """The object that stands on stderr instead."""
    return {"schema": _SCHEMA, "error": error_fields(error, hint)}


def error_fields(error: ImgtoolError, hint: str) -> dict[str, Any]:
    """An error and what to do about it; a class that programs do not know stands as the one above it."""
    names = (kind.__name__ for kind in type(error).__mro__)
    known = next(name for name in names if name in ERROR_TYPES)
    return {"type": known, "message": str(error), "hint": hint, **error.data}


def text_of(document: Document, *, line: bool = False) -> str:
    """A document as it is printed, on one line if that is asked for."""
    return json.dumps(document, indent=None if line else 2)


def replay_fields(path: str, lines: int, difference: ReplayDifference | None) -> dict[str, Any]:
    """What a replay of a record with so many lines came to."""
    fields: dict[str, Any] = {"path": path, "lines": lines}
    if difference is not None:
        fields |= {
            "line": difference.line,
            "expected": difference.expected.hex(),
            "found": difference.found.hex(),
        }
    return fields


def description_fields(path: str, description: Description) -> dict[str, Any]:
    """One result of ``inspect``."""
    fields = {
        "path": path,
        "size": description.size,
        "sha256": description.sha256,
        "kind": str(description.kind),
        "ok": description.ok,
        "firmware": None if description.firmware is None else _firmware(description.firmware),
        "header": None if description.header is None else header_fields(description.header),
        "parts": [part_fields(part) for part in description.parts],
        "findings": [finding_fields(finding) for finding in description.findings],
    }
    if description.state is not None:
        fields["state"] = asdict(description.state)
    if description.content is not None:
        fields["content"] = description_fields(path, description.content)
    return fields


def _firmware(firmware: Firmware) -> dict[str, Any]:
    details = {name.lower().replace(" ", "_"): value for name, value in firmware.details.items()}
    return {
        **details,
        "name": firmware.name,
        "version": firmware.version,
        "sdk": firmware.sdk,
        "build": firmware.build,
        "lua": firmware.lua,
        "builder": firmware.builder,
    }


def firmware_fields(firmware: Firmware | None) -> dict[str, Any] | None:
    """A firmware; None for none."""
    return None if firmware is None else _firmware(firmware)


def header_fields(header: Header) -> dict[str, Any]:
    """The header of an image."""
    return {
        "version": header.version,
        "entry": header.entry,
        "mode": header.mode,
        "freq": header.freq,
        "size": header.size,
        "mode_code": header.mode_code,
        "size_freq_code": header.size_freq_code,
        "slot": header.slot,
    }


def part_fields(part: Part) -> dict[str, Any]:
    """A part of a file."""
    fields: dict[str, Any] = {"kind": str(part.kind), "offset": part.offset, "size": part.size}
    if part.address is not None:
        fields["address"] = part.address
    if part.checksum is not None:
        fields["checksum"] = checksum_fields(part.checksum)
    if part.segments:
        fields["segments"] = [_segment(segment) for segment in part.segments]
    if part.note:
        fields["note"] = part.note
    return {**fields, **facts_of(part.value)}


def cure_fields(cure: Cure) -> dict[str, Any]:
    """A cure and its commands."""
    return {"text": cure.text, "commands": list(cure.commands)}


def checksum_fields(checksum: Checksum) -> dict[str, Any]:
    """A check."""
    wide = checksum.bits > _WIDEST_NUMBER
    stored, computed = (
        f"{value:0{checksum.bits // 4}x}" if wide else value for value in (checksum.stored, checksum.computed)
    )
    return {"algorithm": checksum.algorithm, "stored": stored, "computed": computed, "ok": checksum.ok}


def _segment(segment: SegmentInfo) -> dict[str, Any]:
    return {
        "offset": segment.offset,
        "size": segment.size,
        "address": segment.address,
        "memory": segment.memory,
    }


def finding_fields(finding: Finding) -> dict[str, Any]:
    """A finding."""
    fields: dict[str, Any] = {
        "severity": str(finding.severity),
        "code": finding.code,
        "message": finding.message,
    }
    return fields if finding.offset is None else {**fields, "offset": finding.offset}


def patch_fields(path: str, output: str | None, made: Patched) -> dict[str, Any]:
    """The result of ``patch``: what it changed, as fields and as bytes; ``output`` is None for a dry run."""
    return {
        "path": path,
        "output": output,
        "written": output is not None,
        "kind": str(made.after.kind),
        "size": len(made.data),
        "sha256": made.after.sha256,
        "fields": [
            {
                "field": edit.field,
                "offset": edit.offset,
                "old": edit.old,
                "new": edit.new,
                "follows": edit.follows,
            }
            for edit in made.edits
        ],
        "bytes": [_difference(run) for run in made.differences],
        "findings": [finding_fields(finding) for finding in made.findings],
    }


def settable_fields(fields: Iterable[Field]) -> list[dict[str, Any]]:
    """The fields of init data that can be set."""
    return [
        {
            "name": field.name,
            "offset": field.offset,
            "range": field.range_text,
            "default": field.show(field.default[0]),
            "meaning": field.meaning,
        }
        for field in fields
    ]


def _difference(run: Difference) -> dict[str, Any]:
    fields: dict[str, Any] = {"offset": run.offset, "size": len(run.new)}
    # A whole file system is no news in hex.
    return {**fields, "old": run.old.hex(), "new": run.new.hex()} if len(run.new) <= _LONG_RUN else fields


def comparison_fields(path_a: str, path_b: str, comparison: Comparison) -> dict[str, Any]:
    """The result of ``compare``."""
    return {
        "a": {"path": path_a, **_compared(comparison.a)},
        "b": {"path": path_b, **_compared(comparison.b)},
        "same": comparison.same,
        "verdict": comparison.verdict,
        "regions": [{**asdict(region), "size": region.size} for region in comparison.regions],
        "fields": [asdict(field) for field in comparison.fields],
        "patterns": [asdict(pattern) for pattern in comparison.patterns],
        "notes": list(comparison.notes),
    }


def _compared(file: Compared) -> dict[str, Any]:
    fields: dict[str, Any] = {"size": file.size, "sha256": file.sha256, "kind": file.kind}
    return fields if file.content is None else {**fields, "content": _compared(file.content)}


def warnings_of(findings: Iterable[Finding], *notes: str | None) -> list[str]:
    """The sentences for the list of warnings of a document."""
    return [finding.message for finding in findings if finding.severity == "warning"] + [
        n for n in notes if n
    ]
