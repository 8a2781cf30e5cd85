"""The screen of a terminal as a model: what it shows after all that its program has said, and how to draw it anew."""
