"""What a user asks for, as data in and data out: results with their words, documents, hints and cures.

Not the terminal, not the page: nothing is printed here, no options are parsed, no path of a user is opened.
May import operations, virtual and all below; not cli, typer or rich.
"""
