"""Compare: two files by region and meaning: what differs, and what of it a firmware changes by itself.

No verdict on an upgrade (upgrade).

May import: inspect, and the layers below.
"""
