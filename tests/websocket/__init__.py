"""Tests of streamrelay/websocket."""
