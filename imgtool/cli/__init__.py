"""The command line: commands, options, what a person sees.

No formats and no layouts: what is known of firmware is below.  app.py is where it starts.

May import: everything below; nothing may import it.
"""
