"""Advise: an upgrade in thought: a write is planned, laid over the old flash and judged.

Nothing is written.

May import: flashing, upgrade, and what these may.
"""
