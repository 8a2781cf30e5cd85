"""The way of a stream's bytes through a process: channels, connections, the splice."""
