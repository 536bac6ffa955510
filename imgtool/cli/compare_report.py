"""A comparison for people: the verdict, the regions, the fields, the marks of damage.

What is said comes from the result; long lists end in a count.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from imgtool.cli import text
from imgtool.cli.text import Span
from imgtool.operations.compare_values import State

if TYPE_CHECKING:
    from imgtool.cli.text import Line, Screen
    from imgtool.operations.compare_values import Compared, Comparison, FieldChange, RegionChange

__all__ = ["show_comparison"]

_MOST_REGIONS: Final = 40
_MOST_FIELDS: Final = 24
_MOST_PATTERNS: Final = 12
_STATES: Final = {
    State.SAME: Span("same", "dim"),
    State.FIRMWARE: Span("by firmware", "green"),
    State.DIFFERS: Span("differs", "bold red"),
    State.OUTSIDE: Span("not in both", "dim"),
}


def show_comparison(path_a: str, path_b: str, result: Comparison) -> None:
    """Print what the comparison found."""
    screen = text.stdout()
    style = "bold red" if result.differs else "green"
    screen.paragraph(f"{result.verdict[:1].upper()}{result.verdict[1:]}.", style=style)
    screen.line()
    screen.table([_file("A", path_a, result.a), _file("B", path_b, result.b)])
    for note in result.notes:
        screen.paragraph(f"{note[:1].upper()}{note[1:]}.", lead=[Span("  ")])
    if result.same:
        return
    _show_regions(screen, result)
    _show_fields(screen, result.fields)
    if result.patterns:
        screen.line()
        for pattern in result.patterns[:_MOST_PATTERNS]:
            screen.paragraph(pattern.message, lead=[Span("  look  ", "yellow")])
        _show_rest(screen, len(result.patterns) - _MOST_PATTERNS, "marks")


def _file(name: str, path: str, file: Compared) -> tuple[Line, ...]:
    kind = file.kind if file.content is None else f"{file.kind}, inside {file.content.kind}"
    return (Span(name, "bold"), f"{file.size:,} bytes", kind, path)


def _show_regions(screen: Screen, result: Comparison) -> None:
    """The regions in their order; if there are too many, first those that differ."""
    shown = list(result.regions)
    if len(shown) > _MOST_REGIONS:
        shown = [region for region in shown if region.state is not State.SAME]
    rows: list[tuple[Line, ...]] = [
        (region.name, _offset(region), f"{region.size:,}", _STATES[region.state], _detail(region))
        for region in shown[:_MOST_REGIONS]
    ]
    if not rows:
        return
    screen.line()
    screen.table(rows, head=("region", "offset", "size", "state", ""), right=(2,))
    _show_rest(screen, len(shown) - _MOST_REGIONS, "regions")
    if len(shown) < len(result.regions):
        screen.line(f"  and {len(result.regions) - len(shown)} that are the same")


def _offset(region: RegionChange) -> str:
    offset = region.offset_b if region.offset_a is None else region.offset_a
    return f"0x{offset or 0:06x}"


def _detail(region: RegionChange) -> str:
    """Where it lies in B, how much differs, from where on, and why."""
    words: list[str] = []
    if region.offset_a is not None and region.offset_b is not None and region.offset_a != region.offset_b:
        words.append(f"0x{region.offset_b:06x} in B")
    if region.offset_a is not None and region.offset_b is not None and region.size_a != region.size_b:
        words.append(f"{region.size_b:,} bytes in B")
    if region.bytes and region.offset_a is not None and region.offset_b is not None:
        words.append(_amount(region))
    if region.reason:
        words.append(region.reason)
    return "; ".join(words)


def _amount(region: RegionChange) -> str:
    count = f"{region.bytes:,} byte{'' if region.bytes == 1 else 's'}"
    if region.sectors > 1:
        count += f" in {region.sectors:,} sectors"
    place = f"0x{region.first or 0:06x}"
    if region.address is not None:
        place += f" (0x{region.address:08x})"
    return f"{count}, {'' if region.bytes == 1 else 'first '}at {place}"


def _show_fields(screen: Screen, fields: tuple[FieldChange, ...]) -> None:
    shown = fields[:_MOST_FIELDS]
    for region, group in groupby(shown, key=lambda field: field.region):
        screen.line()
        screen.line(Span(f"  {region}", "bold"))
        screen.table([_field(field) for field in group])
    _show_rest(screen, len(fields) - _MOST_FIELDS, "fields")


def _field(field: FieldChange) -> tuple[Line, ...]:
    old, new = (_short(value) for value in (field.a, field.b))
    why = field.reason or ("by firmware" if field.state is State.FIRMWARE else "")
    return ("", field.name, f"{old} -> {new}" + (f" ({why})" if why else ""))


def _short(value: str | None) -> str:
    return "none" if value is None else value


def _show_rest(screen: Screen, count: int, what: str) -> None:
    if count > 0:
        screen.line(f"  and {count:,} more {what}")
