"""The media engine's own decisions: who is let in."""

from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from camgate.auth.identity import Action, Grant, Identity, Way
from camgate.auth.leases import Leases
from camgate.config.model import Settings
from camgate.engine import MAX_STEP_WAIT_S, MAX_WAITING_STEPS, ON_DEMAND_WAIT_S, Engine
from camgate.relay.errors import BadOffer, CameraOffline, TooManyJoins, UnknownCamera
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.serve.webrtc.addresses import AddressBook
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.wire.codec.format import AudioFormat
from tests.fakes.frames import H265_FORMAT, VIDEO_FORMAT

OFFERS = Path(__file__).parent / "fixtures" / "offers"
PCMA, PCMU = AudioFormat(codec="PCMA", clock_hz=8_000), AudioFormat(codec="PCMU", clock_hz=8_000)


@pytest.mark.parametrize(
    ("steps", "waited_s", "is_refused"),
    [
        (MAX_WAITING_STEPS + 40, 1.1 * MAX_STEP_WAIT_S, True),
        (MAX_WAITING_STEPS + 40, 0.9 * MAX_STEP_WAIT_S, False),
        (MAX_WAITING_STEPS - 40, 1.1 * MAX_STEP_WAIT_S, False),
    ],
)
async def test_a_flood_of_offers_takes_no_turns_from_those_half_connected(
    autojump_clock: MockClock, steps: int, waited_s: float, is_refused: bool
) -> None:
    registry, endpoint = Registry(), Endpoint()
    registry.add(Source("front"))
    engine = Engine(Settings(cameras={}), registry, endpoint)
    async with trio.open_nursery() as nursery:
        with endpoint.turns.live():
            for _ in range(steps):
                nursery.start_soon(endpoint.turns.take)
            await trio.sleep(waited_s)
            with pytest.raises(TooManyJoins if is_refused else BadOffer) as refused:
                await engine.answer_offer("front", "no offer", host=None, wait_s=0)
            assert not isinstance(refused.value, TooManyJoins) or refused.value.retry_after_s > 0
        nursery.cancel_scope.cancel()
    with pytest.raises(BadOffer):
        await engine.answer_offer("front", "no offer", host=None, wait_s=0)


OFFER = (Path(__file__).parent / "fixtures/offers/chromium-156-linux.sdp").read_text()


@pytest.mark.parametrize(("wait_s", "waited_s"), [(None, ON_DEMAND_WAIT_S), (0, 0), (3, 3)])
async def test_an_offer_for_a_camera_on_demand_waits_for_a_dial(
    wait_s: float | None, waited_s: float, autojump_clock: MockClock
) -> None:
    registry, source = Registry(), Source("front")
    registry.add(source)
    source.set_idle()
    engine = Engine(Settings(cameras={}), registry, Endpoint())
    async with trio.open_nursery() as nursery:

        async def dial() -> None:
            await source.wants.wait_wanted()
            source.set_state(CameraState.CONNECTING)

        nursery.start_soon(dial)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(CameraOffline) as refused:
            await engine.answer_offer("front", OFFER, host=None, wait_s=wait_s)
    assert trio.current_time() == waited_s
    assert source.wants.count == 0
    assert refused.value.retry_after_s is not None


async def test_an_offer_without_a_wait_is_not_held_for_a_camera_that_is_always_connected(
    autojump_clock: MockClock,
) -> None:
    registry = Registry()
    registry.add(Source("front"))
    engine = Engine(Settings(cameras={}), registry, Endpoint())
    with pytest.raises(CameraOffline, match="being connected"):
        await engine.answer_offer("front", OFFER, host=None, wait_s=None)
    assert trio.current_time() == 0


@pytest.mark.parametrize(
    ("main", "sub", "sent"),
    [
        (PCMA, None, "PCMA/8000"),
        (PCMA, PCMU, "PCMU/8000"),
        (None, PCMU, "PCMU/8000"),
        (None, None, None),
    ],
)
async def test_a_sub_stream_without_sound_goes_with_that_of_the_camera(
    autojump_clock: MockClock, main: AudioFormat | None, sub: AudioFormat | None, sent: str | None
) -> None:
    registry, endpoint = Registry(), Endpoint()
    source, beside = Source("front"), Source("front/sub")
    for each, video, audio in ((source, H265_FORMAT, main), (beside, VIDEO_FORMAT, sub)):
        each.begin_session()
        each.begin_audio(audio)
        each.set_format(video)
        each.set_state(CameraState.LIVE)
    source.attach_sub(beside)
    registry.add(source)
    engine = Engine(Settings(cameras={}), registry, endpoint)
    offer = (OFFERS / "chromium-156-linux.sdp").read_text()
    answer = await engine.answer_offer("front", offer, host="127.0.0.1", wait_s=0)
    sound = answer.sdp.partition("m=audio ")[2]
    assert sound.startswith("9 " if sent else "0 ")
    assert sent is None or f" {sent}\r\n" in sound


async def test_a_viewer_ends_with_the_right_to_watch(autojump_clock: MockClock) -> None:
    registry, endpoint, source = Registry(), Endpoint(), Source("front")
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    registry.add(source)
    leases = Leases()
    assert not leases, "as at the start, which must not be taken for none"
    engine = Engine(Settings(cameras={}), registry, endpoint, None, leases)
    anna, ben = (Identity(name=name, way=Way.SESSION, grants=(Grant(Action.VIEW),)) for name in ("anna", "ben"))
    answers = {
        each.name: await engine.answer_offer("front", OFFER, identity=each, host="127.0.0.1", wait_s=0)
        for each in (anna, ben)
    }
    assert leases.end_all(lambda identity: identity is anna, "signed out") == 1
    async with trio.open_nursery() as nursery:
        await nursery.start(endpoint.run)
        assert await engine.wait_viewer_closed(answers["anna"].session_id) == "signed out"
        assert len(leases) == 1
        assert await engine.close_viewer(answers["ben"].session_id)
        await engine.wait_viewer_closed(answers["ben"].session_id)
        assert len(leases) == 0
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("comes_again", [False, True])
async def test_an_offer_for_a_camera_that_is_removed_while_it_waits(
    autojump_clock: MockClock, *, comes_again: bool
) -> None:
    registry = Registry()
    registry.add(Source("front"))
    engine = Engine(Settings(cameras={}), registry, Endpoint())
    async with trio.open_nursery() as nursery:

        async def join() -> None:
            with pytest.raises(CameraOffline if comes_again else UnknownCamera) as refused:
                await engine.answer_offer("front", OFFER, host=None, wait_s=10)
            assert not comes_again or "configured anew" in str(refused.value)

        nursery.start_soon(join)
        await trio.sleep(1)
        registry.remove("front")
        if comes_again:
            registry.add(Source("front"))
    assert trio.current_time() == 1


async def test_a_camera_that_is_another_one_once_addresses_are_looked_up_gets_no_viewer(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, endpoint, source = Registry(), Endpoint(), Source("front")
    source.begin_session()
    source.set_format(VIDEO_FORMAT)
    source.set_state(CameraState.LIVE)
    registry.add(source)
    engine = Engine(Settings(cameras={}), registry, endpoint)

    async def look_up(_self: AddressBook, _host: str | None) -> list[str]:
        registry.remove("front")
        registry.add(Source("front"))
        return ["127.0.0.1"]

    monkeypatch.setattr(AddressBook, "candidates", look_up)
    with pytest.raises(CameraOffline, match="configured anew"):
        await engine.answer_offer("front", OFFER, host="localhost", wait_s=0)
    assert endpoint.viewer_count == 0
