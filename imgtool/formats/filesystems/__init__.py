"""File systems: SPIFFS in all its variants, LittleFS and espfs, recognised and read.

Not where a firmware looks for them (layout).

May import: images, and the shared modules of formats.
"""
