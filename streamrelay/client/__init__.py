"""The native client: ``streamrelay connect`` and ``streamrelay hosts``."""
