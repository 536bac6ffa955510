"""Logs: what a chip says on its serial line, as values: boots, crashes, noise of a wrong speed.

No judgement of what it means (operations/explain).  In no row of the registry.

May import: chip.py.
"""
