"""Engine: what a user asks for as data: documents, words, hints and verdicts for terminal, page and program.

No printing, no colours, no widths, no files of the user, no options: no typer, rich or serial.

May import: operations, virtual, and the layers below them.
"""
