"""Patch: a file changed without breaking it: edits first, then the checks that cover them.

Nothing new is assembled here.

May import: inspect, assemble, and the layers below.
"""
