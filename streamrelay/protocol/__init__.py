"""Everything that crosses a wire (protocol.rst): messages, names, limits, tokens."""
