"""Websockets: the handshake of both ends, and RFC 6455 frames as a connection."""
