"""Consoles of virtual machines, by QEMU's monitor."""
