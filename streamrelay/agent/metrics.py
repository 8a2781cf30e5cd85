"""Metrics of an agent."""

from collections.abc import Iterator

from attrs import define

from streamrelay.agent.service import Agent
from streamrelay.program.metrics import (
    Family,
    Limit,
    certificates,
    counter,
    counters,
    gauge,
    gauges,
    histogram,
    limits,
)
from streamrelay.protocol.close import OUTCOMES
from streamrelay.protocol.summons import REFUSALS


@define(eq=False)
class AgentMetrics:
    """Metrics of one agent."""

    agent: Agent

    def families(self) -> Iterator[Family]:
        agent, tally = self.agent, self.agent.streams.record.tally
        live = sum(1 for summoned in agent.streams.summoned_streams if summoned.met)
        states = {"live": live, "waiting": len(agent.streams.summoned_streams) - live}
        yield gauges("streamrelay_agent_streams", "Streams that live, or wait for their clients", "state", states)
        yield counters("streamrelay_agent_streams_ended", "Streams by how they ended", "outcome", tally.ended, OUTCOMES)
        yield counters(
            "streamrelay_agent_bytes", "Bytes of streams, up to the targets and down", "direction", tally.bytes
        )
        answers = ("ready", *REFUSALS)
        yield counters("streamrelay_agent_summonses", "Summonses by their answer", "answer", agent.answers, answers)
        yield histogram(
            "streamrelay_agent_opening_seconds", "From a summons to its answer, if that is ready", agent.opening
        )
        yield gauge(
            "streamrelay_agent_targets", "Targets in the list, patterns among them", len(agent.catalogue.entries)
        )
        yield gauge("streamrelay_bus_connected", "1 if there is a connection to NATS", float(agent.bus.connected))
        yield counter("streamrelay_bus_losses", "Connections to NATS that were lost", agent.bus.losses)
        yield certificates({"relay": agent.streams.legs.dialler.expiry, "bus": agent.bus.expiry})
        yield from limits(self._limits())

    def _limits(self) -> list[Limit]:
        config, quota, terminals = self.agent.config, self.agent.streams.quota, self.agent.streams.terminals
        return [
            Limit("max_streams", config.max_streams, quota.count, quota.full.total),
            Limit("max_streams_per_user", config.max_streams_per_user, refused=quota.by_user.total),
            Limit("max_terminals", config.max_terminals, len(terminals.terminals), terminals.refused),
        ]
