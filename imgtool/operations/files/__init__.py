"""Files: those of a file system that is there, listed, taken out, put in, removed, carried to another one.

No making of a new one (assemble), and no rule on what an upgrade does to one (upgrade).

May import: inspect, assemble, upgrade, and the layers below.
"""
