"""Tests of streamrelay/agent."""
