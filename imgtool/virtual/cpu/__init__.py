"""The core: lx106 instructions, what each computes, and running code fast by translating it to Python.

No ESP8266: what lies at an address is handed to it.

May import: formats.code, for the instructions.
"""
