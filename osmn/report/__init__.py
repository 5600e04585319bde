"""Scores as a web page: one HTML file that needs no network. `page.write` makes it of an `Evaluated`."""
