"""Metrics as Prometheus reads them, by its own library: loaded only where there is an admin listener."""

from collections.abc import Iterator
from typing import Final

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from streamrelay.program.histogram import Histogram
from streamrelay.program.metrics import Families, Family

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_SIMPLE: Final = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


def as_metric(family: Family) -> Metric:
    """Return a metric of ours as one of the library's."""
    if family.kind == "histogram":
        seen = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, value in family.values.items():
            assert isinstance(value, Histogram)
            seen.add_metric(labels, value.buckets, value.total)
        return seen
    metric: CounterMetricFamily | GaugeMetricFamily = _SIMPLE[family.kind](
        family.name, family.help, labels=family.labels
    )
    for labels, value in family.values.items():
        assert not isinstance(value, Histogram)
        metric.add_metric(labels, value)
    return metric


@define(eq=False)
class Exposition(Collector):
    """All metrics of one program, in a registry of its own, read anew at each question."""

    families: Families
    _registry: CollectorRegistry = field(factory=CollectorRegistry)

    def __attrs_post_init__(self) -> None:
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """Describe nothing, so that nothing is read before somebody asks."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        return map(as_metric, self.families())

    def text(self) -> bytes:
        return generate_latest(self._registry)
