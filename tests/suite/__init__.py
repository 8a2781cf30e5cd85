"""Runs the tests in several processes, one test module at a time each: `python -m tests.suite`; ./check calls it.

`deal` says which modules there are, `crew` starts the workers and watches them, `worker` is what runs in each, `report`
is what people and continuous integration read, `skips` says which skips are allowed where nothing need be missing, and
`guard` ends what a worker that was killed has left.
"""
