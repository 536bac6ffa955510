"""Assemble: pieces of flash contents put together: merged, encoded, laid out as a whole flash.

No device, and no change of an image that is there (patch).

May import: inspect, and the layers below.
"""
