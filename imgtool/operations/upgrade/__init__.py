"""Upgrade: rules on what becomes of files, LFS, settings and scripts when another firmware comes.

No plan of a write: flashing makes one and asks these rules, advise asks all of them.

May import: inspect, assemble, the values of explain, and the layers below.
"""
