"""Terminals that their host keeps, in the console: what its tests in a browser and in windows share."""

from tests.live.console.console import TARGETS

KEPT = TARGETS.replace('command = ["/bin/sh"]', 'command = ["/bin/sh"]\nenvironment = { PS1 = "$ " }\nkeep = 600')
"""The same, but that the shell is kept."""
VIM = "vim -N -u NONE -i NONE -c 'set noswapfile ruler' notes.txt"
"""A program that draws the whole screen, and has modes that a terminal must have, too."""
