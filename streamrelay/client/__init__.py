"""The native client, `streamrelay connect` and its kin."""
