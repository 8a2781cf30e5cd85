"""The parts of every program: options, settings, the reactor, ports."""
