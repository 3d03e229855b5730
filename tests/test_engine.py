"""The media engine's own decisions: who is let in."""

import pytest
import trio
from trio.testing import MockClock

from camgate.config.model import Settings
from camgate.engine import MAX_STEP_WAIT_S, Engine
from camgate.relay.errors import BadOffer, TooManyJoins
from camgate.relay.registry import Registry
from camgate.relay.source import Source
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.turns import PATIENCE_S


async def test_a_flood_of_offers_takes_no_turns_from_those_half_connected(autojump_clock: MockClock) -> None:
    registry, endpoint = Registry(), Endpoint()
    registry.add(Source("front"))
    engine = Engine(Settings(cameras={}), registry, endpoint)
    async with trio.open_nursery() as nursery:
        with endpoint.turns.live():
            for _ in range(int(2 * MAX_STEP_WAIT_S / PATIENCE_S)):
                nursery.start_soon(endpoint.turns.take)
            await trio.sleep(0.9 * MAX_STEP_WAIT_S)
            nursery.start_soon(_offer, engine)
            await trio.sleep(0.2 * MAX_STEP_WAIT_S)
            with pytest.raises(TooManyJoins) as refused:
                await engine.answer_offer("front", "no offer", host=None, wait_s=0)
            assert refused.value.retry_after_s > 0
        nursery.cancel_scope.cancel()
    with pytest.raises(BadOffer):
        await engine.answer_offer("front", "no offer", host=None, wait_s=0)


async def _offer(engine: Engine) -> None:
    """One that comes early enough to be looked at."""
    with pytest.raises(BadOffer):
        await engine.answer_offer("front", "no offer", host=None, wait_s=0)
