"""Watching: what a chip says while it says it: lines, notes and changes of speed as events.

No port and no clock of its own: bytes and times come in.

May import: explain, and formats.
"""
