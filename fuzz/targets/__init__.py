"""One module for each target: its invariant, the inputs that fuzzing begins with, and words that are worth a try."""
