"""Messages: the lines that mean one thing by themselves, a row each, a file for each firmware.

No reading of logs (formats/logs), and no judging of a whole boot (the rules beside this folder).

May import: the values and actions of explain, and formats.
"""
