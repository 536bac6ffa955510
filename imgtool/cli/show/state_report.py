"""The state of a flash for people; networks and their passwords only for who asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.text import Span
from imgtool.engine.states import topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["show_networks", "show_state"]


def show_state(screen: Screen, state: FlashState) -> None:
    """Print the state, one line a topic."""
    rows = list(_rows(state))
    if rows:
        screen.line()
        screen.line("  on this flash")
        screen.table(rows)


def show_networks(screen: Screen, networks: Sequence[StoredNetwork]) -> None:
    """Print the stored networks with their passwords."""
    screen.line()
    if not networks:
        screen.line("  no network is seen in the system parameters")
        return
    rows = [(f"0x{each.offset:06x}", each.ssid, each.password or "(none)") for each in networks]
    screen.table(rows, head=("copy at", "network", "password"))


def _rows(state: FlashState) -> Iterator[tuple[Span, str]]:
    for topic in topics(state):
        words = topic.words
        if topic.name != "starts":  # there the address is in the words
            words = _placed(topic.offset, words)
        yield Span(topic.name, "dim"), words
        if topic.name == "init data" and state.init_data is not None:
            for each in state.init_data.deviations:
                yield Span(""), f"{each.field}: {each.expected} -> {each.found}"


def _placed(offset: int | None, words: str) -> str:
    return words if offset is None else f"0x{offset:06x}: {words}"
