"""What stands on a terminal that was written to."""

from __future__ import annotations


def terminal(text: str) -> list[str]:
    """What stands on a terminal: backspaces go back, and what is written then replaces."""
    rows = [[""] * 0]
    column = 0
    for char in text:
        if char == "\b":
            column -= 1
        elif char == "\n":
            rows.append([])
            column = 0
        else:
            rows[-1][column : column + 1] = [char]
            column += 1
    return ["".join(row).rstrip() for row in rows]
