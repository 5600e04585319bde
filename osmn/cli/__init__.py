"""Command lines: the options that scripts share, and how a script begins and ends."""
