"""One module for each kind of work."""

from bench.works.bulk import ACTIVE, BULK, TLS
from bench.works.clicking import CLICKING
from bench.works.daily import DAILY
from bench.works.fairness import FAIRNESS
from bench.works.hosts import HOSTS
from bench.works.interactive import ECHO
from bench.works.local import CROWD, LOCAL
from bench.works.pairs import ARRIVALS, IDLE
from bench.works.resting import RESTING
from bench.works.resume import HELD, RESUME
from bench.works.several import SEVERAL
from bench.works.start import START
from bench.works.trips import ANSWERS, TRIPS
from bench.works.whole import CHAIN, OPENING
from bench.works.work import Work

WORKS: tuple[Work, ...] = (
    *(BULK, ACTIVE, TLS, ECHO, FAIRNESS, ARRIVALS, SEVERAL, IDLE, RESTING),
    *(CHAIN, TRIPS, ANSWERS, OPENING, LOCAL, CROWD, START, DAILY, CLICKING, HOSTS, RESUME, HELD),
)
