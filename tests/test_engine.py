"""The media engine's own decisions: who is let in."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from camgate.config.model import Settings
from camgate.engine import MAX_WAITING_STEPS, Engine
from camgate.relay.errors import BadOffer, TooManyJoins
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.serve.webrtc.endpoint import Endpoint


async def test_a_flood_of_offers_takes_no_turns_from_those_half_connected(autojump_clock: MockClock) -> None:
    registry, endpoint = Registry(), Endpoint()
    registry.add(Source("front"))
    engine = Engine(Settings(cameras={}), registry, endpoint)
    async with trio.open_nursery() as nursery:
        with endpoint.turns.live():
            for _ in range(MAX_WAITING_STEPS + 1):
                nursery.start_soon(endpoint.turns.take)
            await wait_all_tasks_blocked()
            with pytest.raises(TooManyJoins) as refused:
                await engine.answer_offer("front", "no offer", host=None, wait_s=0)
            assert refused.value.retry_after_s > 0
        nursery.cancel_scope.cancel()
    with pytest.raises(BadOffer):
        await engine.answer_offer("front", "no offer", host=None, wait_s=0)
