"""Flashing: which bytes go where in the flash of a device, what speaks against it, and bringing them there.

Not how a chip is talked to (device).

May import: upgrade, assemble, inspect, and the layers below.
"""
