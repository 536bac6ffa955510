"""Flashing: which bytes go where in the flash of a device, what speaks against it, and bringing them there.

How a chip is talked to is in :mod:`imgtool.device`.  May import: upgrade, assemble, inspect, and the layers
below.
"""
