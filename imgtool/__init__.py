"""imgtool: the firmware image workbench for the ESP8266 and ESP8285."""

__version__ = "0.1.0"
