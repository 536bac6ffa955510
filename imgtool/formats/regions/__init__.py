"""Regions: what a firmware or the SDK keeps at its places of a flash: init data, tables, parameters.

Not where those places are (layout).

May import: the shared modules of formats.
"""
