"""The state of a flash as words, a topic each, and as JSON; networks and their passwords only for who asks.

Not its finding out (imgtool.operations.inspect.flash_state).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from imgtool.engine.results import Table, Tone, Toned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from imgtool.engine.results import Cell
    from imgtool.operations.inspect.flash_slots import ActiveSlot
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["StateTopic", "network_fields", "networks_table", "state_table", "topics"]


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


def network_fields(networks: Sequence[StoredNetwork]) -> list[dict[str, Any]]:
    """The stored networks as JSON, with their passwords."""
    return [asdict(network) for network in networks]


def networks_table(networks: Sequence[StoredNetwork]) -> Table:
    """The stored networks with their passwords; a sentence alone where there are none."""
    if not networks:
        return Table(rows=(), title="networks", lead="no network is seen in the system parameters")
    rows = tuple((f"0x{each.offset:06x}", each.ssid, each.password or "(none)") for each in networks)
    return Table(rows=rows, head=("copy at", "network", "password"), title="networks")


def state_table(state: FlashState) -> Table:
    """What is said of a state: a row a topic, and below init data one for each field that is not as usual."""
    rows: list[tuple[Cell, ...]] = []
    for topic in topics(state):
        # What starts has its address in its words.
        placed = topic.offset is not None and topic.name != "starts"
        words = f"0x{topic.offset:06x}: {topic.words}" if placed else topic.words
        rows.append((Toned(topic.name, Tone.DIM), words))
        if topic.name == "init data" and state.init_data is not None:
            rows += [
                ("", f"{each.field}: {each.expected} -> {each.found}") for each in state.init_data.deviations
            ]
    return Table(rows=tuple(rows), title="on this flash")


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


def _slot_words(active: ActiveSlot) -> str:
    sure = "" if active.certainty == "known" else f", {active.certainty}"
    words = f"nothing{sure}: {active.reason}" if active.nothing else f"not known: {active.reason}"
    if active.name is not None and active.offset is not None:
        words = f"{active.name} at 0x{active.offset:06x}{sure}: {active.reason}"
    if active.staged is not None:
        words += f"; an update lies at 0x{active.staged:06x}"
    return words
