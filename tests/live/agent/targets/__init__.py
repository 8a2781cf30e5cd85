"""Live tests of each kind of target, through the whole chain."""
