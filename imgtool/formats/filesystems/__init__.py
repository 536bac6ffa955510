"""File systems: SPIFFS in all its variants, LittleFS and espfs, recognised and read.

Not where a firmware looks for them: that is :mod:`imgtool.layout`.  May import: the shared modules of
formats, and images.
"""
