"""Jobs: one module for each thing that a user asks for: a frozen request in, events, a frozen result out.

No arguments are parsed, no file is opened, nothing is printed or drawn; a board comes as an open port.

May import: the rest of engine, and what it may.
"""
