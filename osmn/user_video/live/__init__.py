"""Objects in pictures that come by themselves (`osmn_live.py`): cameras, streams, pipes, and the local page."""
