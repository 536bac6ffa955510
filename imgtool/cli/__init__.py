"""The command line: commands, options, what a person sees, exit codes.  No formats, no layouts.

app.py is where it starts.  May import: everything below; nothing may import it.
"""
