"""The page of docs/ with the result of a long run."""

from pathlib import Path
from textwrap import indent

from tests.soak.summary import Summary, words

DOCS = Path(__file__).parents[2] / "docs"
TEXT = """Soak
====

.. This page is written by ``python -m tests.soak --docs``, but for remarks at its end.

The result of one long run: a relay, a platform, a NATS server and the agents of two hosts, under everything that users
do at once (bulk both ways, echoes, terminals, followed logs, streams that are aborted or refused), while one program
after the other is killed or stopped. Every byte is compared with what was sent. A stream that failed while a program on
its way was away counts by its outcome; any other failure is told in a line that begins with FAULT.

The command was::

    {command}

It printed::

{printed}
Over its time, with a line at each restart:

.. image:: soak.svg
   :alt: Memory, descriptors and event-loop lag of each program over the run
"""


def page(told: Summary, command: str) -> str:
    return TEXT.format(command=command, printed=indent(words(told), "    "))


def write(told: Summary, command: str, picture: str) -> None:
    (DOCS / "soak.rst").write_text(page(told, command))
    (DOCS / "soak.svg").write_text(picture)
