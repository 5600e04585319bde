"""The web page of `osmn_app.py`: layout and events (page.py), and what runs in the browser."""
