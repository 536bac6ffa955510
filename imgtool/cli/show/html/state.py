"""What a flash is set up for, as cards of the page of page.py, in the words of the terminal.

Made of the state itself and not of its JSON, whose names of fields are for programs.  No networks, and no
passwords: those are not in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgtool.cli.show.html.sections import DEEPEST_HEADING, block
from imgtool.cli.show.html.values import Cell, definitions, escaped, table
from imgtool.engine.states import topics

if TYPE_CHECKING:
    from imgtool.cli.show.html.sections import PageFile
    from imgtool.engine.states import StateTopic
    from imgtool.operations.inspect.flash_slots import ActiveSlot
    from imgtool.operations.inspect.flash_state import FlashState
    from imgtool.operations.inspect.sdk_sectors import InitDataState, SystemParamState

__all__ = ["state_cards"]

_COPIES = ("first copy", "second copy")


def state_cards(file: PageFile) -> str:
    """A card for each topic; nothing for a file that is no flash."""
    state = file.description.state
    if state is None:
        return ""
    cards = "".join(_card(file, state, topic) for topic in topics(state))
    return block(file, "On this flash", f'<div class="cards">{cards}</div>' if cards else "")


def _card(file: PageFile, state: FlashState, topic: StateTopic) -> str:
    level = min(file.level + 2, DEEPEST_HEADING)
    where = "" if topic.offset is None else f" <small>{file.place(topic.offset)}</small>"
    more = ""
    if topic.name == "starts" and state.active_slot is not None:
        more = _slots(file, state.active_slot)
    elif topic.name == "init data" and state.init_data is not None:
        more = _deviations(state.init_data)
    elif topic.name == "parameters" and state.system_param is not None:
        more = _copies(state.system_param)
    heading = f"<h{level}>{escaped(topic.title)}{where}</h{level}>"
    return f"<section>{heading}<p>{escaped(topic.words)}</p>{more}</section>"


def _slots(file: PageFile, active: ActiveSlot) -> str:
    """Where there is a choice: all of it."""
    sure = "yes" if active.certainty == "known" else escaped(active.certainty)
    rows = [
        [
            Cell(escaped(slot.name)),
            Cell(file.place(slot.offset), "num"),
            Cell(escaped(slot.state) if slot.state != "damaged" else '<b class="bad">damaged</b>'),
            Cell(sure if slot.offset == active.offset else ""),
        ]
        for slot in active.slots
    ]
    return table("Slots", ("slot", "offset", "image", "starts"), rows) if len(rows) > 1 else ""


def _deviations(state: InitDataState) -> str:
    """The fields that differ from the nearest published set."""
    rows = [
        [
            Cell(escaped(each.field)),
            Cell(escaped(each.expected), "num"),
            Cell(escaped(each.found), "num"),
        ]
        for each in state.deviations
    ]
    head = ("field", f"in set {state.nearest}", "here")
    return table("Fields that differ", head, rows) if rows else ""


def _copies(state: SystemParamState) -> str:
    """What each copy is, where they are not the same."""
    if state.mirrored or state.state in ("blank", "cut"):
        return ""
    named = enumerate(zip(_COPIES, state.copies, strict=False))
    return definitions(
        [
            (name, escaped(content + (", in force" if number == state.live else "")))
            for number, (name, content) in named
        ]
    )
