"""Layout: where things lie in a flash, by firmware generation and size; rules of fit; what a first boot does.

No parsing (:mod:`imgtool.formats`) and no look at a flash (:mod:`imgtool.operations`).  May import: formats,
chip.py, errors.py.
"""
