"""The command line: commands, options, what a person sees.

No formats, no layouts, no documents, no verdicts: those are below.  app.py is where it starts.

May import: everything below; nothing may import it.
"""
