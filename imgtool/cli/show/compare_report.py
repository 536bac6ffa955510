"""A comparison for people: the verdict, the regions, the fields, the marks of damage.

What is said comes from the result; long lists end in a count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from imgtool.cli.show import text
from imgtool.cli.show.text import Span
from imgtool.operations.compare.values import DiffState
from imgtool.phrase import Name

if TYPE_CHECKING:
    from imgtool.cli.show.text import Line, Screen
    from imgtool.operations.compare.values import Compared, Comparison, FieldChange, RegionChange

__all__ = ["show_comparison"]

_EMPTY: Final = ("gap", "blank")
_MOST_REGIONS: Final = 40
_MOST_FIELDS: Final = 24
_MOST_PATTERNS: Final = 12
_STATES: Final = {
    DiffState.SAME: Span("same", "dim"),
    DiffState.FIRMWARE: Span("by firmware", "green"),
    DiffState.DIFFERS: Span("differs", "bold red"),
    DiffState.OUTSIDE: Span("not in both", "dim"),
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
    _show_details(screen, result)
    if result.patterns:
        screen.line()
        for pattern in result.patterns[:_MOST_PATTERNS]:
            screen.paragraph(pattern.message, lead=[Span("  look  ", "yellow")])
        _show_rest(screen, len(result.patterns) - _MOST_PATTERNS, "marks")


def _file(name: str, path: str, file: Compared) -> tuple[Line, ...]:
    kind = file.kind if file.content is None else f"{file.kind}, inside {file.content.kind}"
    return (Span(name, "bold"), f"{file.size:,} bytes", kind, Name(path))


def _show_regions(screen: Screen, result: Comparison) -> None:
    """The regions in their order; if there are too many, those that are not the same."""
    full = [r for r in result.regions if r.state is not DiffState.OUTSIDE or r.kind not in _EMPTY]
    shown = full
    if len(shown) > _MOST_REGIONS:
        shown = [region for region in full if region.state is not DiffState.SAME]
    rows: list[tuple[Line, ...]] = [
        (_plain(region.name), _offset(region), f"{region.size:,}", _STATES[region.state], _detail(region))
        for region in shown[:_MOST_REGIONS]
    ]
    if not rows:
        return
    screen.line()
    screen.table(rows, head=("region", "offset", "size", "state", ""), right=(2,))
    _show_rest(screen, len(shown) - _MOST_REGIONS, "regions")
    if len(shown) < len(full):
        screen.line(f"  and {len(full) - len(shown)} that are the same")


def _plain(name: str) -> str:
    """The name without the place of its image, which the next column has."""
    return name.split(" of 0x", maxsplit=1)[0].split(" at 0x", maxsplit=1)[0]


def _offset(region: RegionChange) -> str:
    offset = region.offset_b if region.offset_a is None else region.offset_a
    return f"0x{offset or 0:06x}"


def _both(region: RegionChange) -> bool:
    return region.offset_a is not None and region.offset_b is not None


def _detail(region: RegionChange) -> str:
    if not _both(region):
        return "only in B" if region.offset_a is None else "only in A"
    if region.bytes:
        return _count(region.bytes)
    return "" if region.offset_a == region.offset_b else f"0x{region.offset_b or 0:06x} in B"


def _count(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _show_details(screen: Screen, result: Comparison) -> None:
    """Region by region: where it differs and why, then its fields."""
    fields: dict[str, list[FieldChange]] = {}
    for field in result.fields[:_MOST_FIELDS]:
        fields.setdefault(field.region, []).append(field)
    for name in ("file", "firmware"):
        if name in fields:
            screen.line()
            screen.line(Span(f"  {name}", "bold"))
            screen.table([_field(field) for field in fields.pop(name)])
    changed = [r for r in result.regions if r.state in (DiffState.FIRMWARE, DiffState.DIFFERS)]
    for change in changed[:_MOST_REGIONS]:
        screen.line()
        screen.line(Span(f"  {_plain(change.name)} at {_offset(change)}", "bold"))
        screen.paragraph(_where(change), lead=[Span("    ")])
        group = fields.pop(change.name, [])
        if group:
            screen.table([_field(field, change.reason) for field in group])
    left = len(result.fields) - _MOST_FIELDS
    if left > 0:
        screen.line()
        _show_rest(screen, left, "fields")


def _where(region: RegionChange) -> str:
    """How much differs and from where on, where it lies in B, and the reason."""
    words: list[str] = []
    if _both(region) and region.offset_a != region.offset_b:
        words.append(f"at 0x{region.offset_b or 0:06x} in B")
    if _both(region) and region.size_a != region.size_b:
        words.append(f"{region.size_a:,} -> {region.size_b:,} bytes")
    if region.bytes:
        words.append(_amount(region) if _both(region) else _count(region.bytes))
    if region.reason:
        words.append(region.reason)
    return "; ".join(words)


def _amount(region: RegionChange) -> str:
    count = _count(region.bytes)
    if region.sectors > 1:
        count += f" in {region.sectors:,} sectors"
    place = f"0x{region.first or 0:06x}"
    if region.address is not None:
        place += f" (0x{region.address:08x})"
    one = region.bytes == 1
    return f"{count} {'differs' if one else 'differ'}, {'' if one else 'the first '}at {place}"


def _field(field: FieldChange, region_reason: str = "") -> tuple[Line, ...]:
    """A row for a field; a reason that stands at its whole region is not given again."""
    old, new = (_short(value) for value in (field.a, field.b))
    why = (
        ""
        if field.reason == region_reason and region_reason
        else field.reason or ("by firmware" if field.state is DiffState.FIRMWARE else "")
    )
    return ("", field.name, f"{old} -> {new}" + (f" ({why})" if why else ""))


def _short(value: str | None) -> str:
    return "none" if value is None else value


def _show_rest(screen: Screen, count: int, what: str) -> None:
    if count > 0:
        screen.line(f"  and {count:,} more {what}")
