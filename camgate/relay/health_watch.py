"""`watch_health`: the task that looks at every camera in turn, each `health.period_s` seconds."""

from collections.abc import Callable
from typing import Never

import trio

from camgate.base.log import get_logger
from camgate.config.model import HealthSettings
from camgate.relay.health import Health, HealthJudge
from camgate.relay.registry import Registry
from camgate.relay.source import Source

log = get_logger("relay.health")

LOOKS_AT_A_TIME = 20
"""Cameras looked at before other tasks get their turn: below a millisecond's work."""


async def watch_health(registry: Registry, current: Callable[[], HealthSettings]) -> Never:
    """Keep each camera's `health` up to date until cancelled. current: tells the rules of now, which may change."""
    judges: dict[Source, HealthJudge] = {}
    due_s = trio.current_time()
    while True:
        rules = current()
        due_s += rules.period_s
        await trio.sleep_until(due_s)
        sources = registry.sources()
        judges = {source: judges.get(source) or HealthJudge(rules, source.expected_fps) for source in sources}
        for number, (source, judge) in enumerate(judges.items()):
            if number % LOOKS_AT_A_TIME == 0:
                await trio.lowlevel.checkpoint()
            judge.expect(rules, source.expected_fps)
            _note(source, judge.look(source.observe(), trio.current_time()))
        due_s = max(due_s, trio.current_time() - rules.period_s)


def _note(source: Source, health: Health) -> None:
    was_healthy = source.health.healthy
    source.set_health(health)
    if was_healthy and not health.healthy:
        log.warning("camera is unhealthy", camera=source.name, reason=health.reason)
    elif health.healthy and not was_healthy:
        log.info("camera is healthy again", camera=source.name)
