"""The state of a flash for people and as JSON; networks and their passwords only for who asks for them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.cli.show.text import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.operations.inspect.flash_slots import ActiveSlot
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["StateTopic", "network_fields", "show_networks", "show_state", "state_fields", "topics"]


class StateTopic(NamedTuple):
    """What is said of one topic of a state.

    Attributes:
        name: As a table on the terminal has it.
        title: The same where there is room.
        offset: Where in the flash; None where it is nowhere.
        words: What is said.
    """

    name: str
    title: str
    offset: int | None
    words: str


def state_fields(state: FlashState) -> dict[str, Any]:
    """The state as JSON."""
    return asdict(state)


def network_fields(networks: Sequence[StoredNetwork]) -> list[dict[str, Any]]:
    """The stored networks as JSON, with their passwords."""
    return [asdict(network) for network in networks]


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


def topics(state: FlashState) -> Iterator[StateTopic]:
    """What is said of each topic that a state has."""
    if state.active_slot is not None:
        yield StateTopic("starts", "What starts", state.active_slot.offset, _slot_words(state.active_slot))
    if state.lfs is not None:
        yield StateTopic("LFS", "LFS", state.lfs.offset, state.lfs.words)
    if state.init_data is not None:
        yield StateTopic("init data", "Init data", state.init_data.offset, state.init_data.words)
    if state.rf_cal is not None:
        yield StateTopic("RF cal", "RF calibration", state.rf_cal.offset, state.rf_cal.words)
    if state.system_param is not None:
        hidden = " (not shown)" if state.system_param.network_stored else ""
        words = state.system_param.words + hidden
        yield StateTopic("parameters", "System parameters", state.system_param.offset, words)


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


def _slot_words(active: ActiveSlot) -> str:
    words = f"not known: {active.reason}"
    if active.name is not None and active.offset is not None:
        sure = "" if active.certainty == "known" else f", {active.certainty}"
        words = f"{active.name} at 0x{active.offset:06x}{sure}: {active.reason}"
    if active.staged is not None:
        words += f"; an update lies at 0x{active.staged:06x}"
    return words
