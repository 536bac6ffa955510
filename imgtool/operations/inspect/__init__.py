"""Inspect: what a file or a flash is: its parts, its firmware, the state that it keeps.

Nothing is changed here, and nothing is said about what follows from it.  Stands below all other operations.
May
import: layout, formats.
"""
