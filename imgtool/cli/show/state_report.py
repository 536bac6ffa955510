"""The state of a flash for people; networks and their passwords only for who asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.words import line_of
from imgtool.engine.states import networks_table, state_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imgtool.cli.show.text import Screen
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import StoredNetwork

__all__ = ["show_networks", "show_state"]


def show_state(screen: Screen, state: FlashState) -> None:
    """Print the state, one line a topic."""
    table = state_table(state)
    if table.rows:
        screen.line()
        screen.line(f"  {table.title}")
        screen.table([[line_of(cell) for cell in row] for row in table.rows])


def show_networks(screen: Screen, networks: Sequence[StoredNetwork]) -> None:
    """Print the stored networks with their passwords."""
    table = networks_table(networks)
    screen.line()
    if not table.rows:
        screen.line(f"  {table.lead}")
        return
    screen.table([[line_of(cell) for cell in row] for row in table.rows], head=table.head)
