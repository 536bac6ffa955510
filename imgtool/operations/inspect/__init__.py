"""Inspect: what a file or a flash is: its parts, its firmware, the state that it keeps.

No change, and no word on what follows from it.  Stands below all other operations.

May import: layout, formats, and the layers below.
"""
