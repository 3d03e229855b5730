"""Webhooks on a real web server, in virtual time: what arrives, is tried again, and outlives a reload."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock as Clock

from camgate.base.secrets import MASK, register_secret
from camgate.config.model import WebhookSettings
from camgate.relay.registry import Registry
from camgate.relay.source import CameraState, Source
from camgate.webhooks import receiver
from camgate.webhooks.receiver import GIVE_UP_S
from camgate.webhooks.webhooks import Webhooks
from tests.fakes.web_server import Answer, Asked, WebServer, web_server

KEY = b"a key of at least 24 bytes"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
WALL_S = 1_700_000_000
HANG_S = 100_000.0
"""Of virtual time."""


@pytest.fixture
def clock() -> Clock:
    """Virtual time for the test that takes it. It leaps over nothing that is on its way through the kernel."""
    return Clock(autojump_threshold=0.1)


@dataclass
class Post:
    """A message as it arrived. at_s: of virtual time."""

    asked: Asked
    at_s: float

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.asked.body)
        return told


@dataclass
class Inbox:
    """A web server that takes messages, or answers as it is told, in this order and then with 204."""

    answers: list[Answer] = field(default_factory=list)
    server: WebServer = field(init=False)

    def __post_init__(self) -> None:
        self._to_test, self._posts = trio.open_memory_channel[Post](10_000)

    def answer(self, asked: Asked) -> Answer:
        self._to_test.send_nowait(Post(asked, trio.current_time()))
        return self.answers.pop(0) if self.answers else Answer(204)

    async def next(self) -> Post:
        with trio.fail_after(HANG_S):
            return await self._posts.receive()

    @property
    def is_empty(self) -> bool:
        return self._posts.statistics().current_buffer_used == 0


@dataclass
class Street:
    """Cameras, who is told of them, and where."""

    registry: Registry
    webhooks: Webhooks
    inbox: Inbox

    def add(self, name: str, state: CameraState = CameraState.LIVE) -> Source:
        source = Source(name, title=f"The {name}")
        self.registry.add(source)
        source.set_state(state)
        return source

    def statistics(self, name: str = "house") -> receiver.WebhookStatistics:
        return self.webhooks.statistics()[name]


@asynccontextmanager
async def open_street(inbox: Inbox, **more: Any) -> AsyncIterator[Street]:
    """Run webhooks with one receiver, `house`, and all settings in `more`."""
    registry = Registry()
    async with web_server(inbox.answer) as server, trio.open_nursery() as nursery:
        inbox.server = server
        settings = {"house": settings_of(server.url("/hook"), **more)} if more != {"without": True} else {}
        webhooks = Webhooks(registry, settings, wall_clock=lambda: WALL_S + trio.current_time())
        nursery.start_soon(webhooks.run)
        yield Street(registry, webhooks, inbox)
        nursery.cancel_scope.cancel()


def settings_of(url: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(**{"url": url, "secret": SECRET, **more})


def assert_signed(asked: Asked) -> None:
    """As a receiver verifies it."""
    headers = asked.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + asked.body
    expected = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"


async def test_a_camera_that_goes_and_comes_back_is_told_of(clock: Clock) -> None:
    register_secret("hush-hush")
    async with open_street(inbox := Inbox()) as street:
        front = street.add("front")
        up = await inbox.next()
        front.set_state(CameraState.BACKOFF, "rtsp://anna:hush-hush@192.0.2.1/ hung up")
        down = await inbox.next()
        front.set_state(CameraState.STALLED, "no frame for 5 s")
        stalled = await inbox.next()
        front.set_state(CameraState.LIVE)
        up_again = await inbox.next()
    told = [post.told for post in (up, down, stalled, up_again)]
    assert [each["event"] for each in told] == ["camera.up", "camera.down", "camera.stalled", "camera.up"]
    assert {(each["camera"], each["title"]) for each in told} == {("front", "The front")}
    assert [each["reason"] for each in told] == [None, f"rtsp://{MASK}@192.0.2.1/ hung up", "no frame for 5 s", None]
    assert down.at_s >= up.at_s + 5
    for post, each in zip((up, down, stalled, up_again), told, strict=True):
        assert (post.asked.method, post.asked.target) == ("POST", "/hook")
        assert post.asked.headers["webhook-id"] == each["id"]
        assert post.asked.headers["content-type"] == "application/json"
        assert abs(int(post.asked.headers["webhook-timestamp"]) - (WALL_S + post.at_s)) < 2
        assert_signed(post.asked)


async def test_what_is_not_taken_is_tried_again_with_the_same_id_and_nothing_overtakes_it(clock: Clock) -> None:
    elsewhere = ("Location", "/elsewhere")
    answers = [Answer(500), Answer(503, headers=(("Retry-After", "100"),)), Answer(302, headers=(elsewhere,))]
    async with open_street(inbox := Inbox(answers)) as street:
        street.add("front")
        first = await inbox.next()
        street.add("yard")
        again = [await inbox.next() for _ in range(3)]
        other = await inbox.next()
        posts = [first, *again]
        assert {post.asked.headers["webhook-id"] for post in posts} == {first.told["id"]}
        assert {post.asked.target for post in posts} == {"/hook"}
        assert len({post.asked.headers["webhook-timestamp"] for post in posts}) == 4
        for post in posts:
            assert_signed(post.asked)
        waits = [later.at_s - earlier.at_s for earlier, later in pairwise(posts)]
        assert 1.5 < waits[0] < 10
        assert 100 <= waits[1] < 110
        assert other.told["camera"] == "yard"
        assert street.statistics().attempts_failed == 3


async def test_a_message_is_given_up_in_time_and_what_is_so_by_then_is_told_in_its_place(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "GIVE_UP_S", 100.0)
    hangs = Answer(204, after_s=1_000)
    async with open_street(inbox := Inbox([hangs] * 100)) as street:
        front = street.add("front")
        first = await inbox.next()
        began_s = last_s = first.at_s
        await trio.sleep(50)
        front.set_state(CameraState.STALLED)
        front.set_state(CameraState.LIVE)
        street.add("yard")
        while (post := await inbox.next()).told["camera"] == "front":
            assert began_s < post.at_s <= began_s + 100
            last_s = post.at_s
        assert last_s > began_s
        assert street.statistics().dropped == {"full": 0, "expired": 1, "gone": 0}
        inbox.answers.clear()
        while (post := await inbox.next()).told["camera"] != "front":
            pass
        assert post.told["event"] == "camera.up"
        assert post.told["id"] != first.told["id"]


async def test_of_too_many_the_oldest_are_dropped_and_counted(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "MAX_WAITING", 3)
    async with open_street(inbox := Inbox([Answer(500)])) as street:
        street.add("first")
        await inbox.next()
        for number in range(5):
            street.add(f"camera{number}")
        names = [(await inbox.next()).told["camera"] for _ in range(3)]
        assert names == ["first", "camera3", "camera4"]
        assert street.statistics().dropped == {"full": 3, "expired": 0, "gone": 0}


async def test_who_wants_no_more_gets_no_more_until_the_config_is_another_one(clock: Clock) -> None:
    async with open_street(inbox := Inbox([Answer(410)])) as street:
        street.add("front")
        await inbox.next()
        street.add("yard")
        await trio.sleep(2 * GIVE_UP_S)
        assert inbox.is_empty
        assert street.statistics().dropped["gone"] == 2
        street.webhooks.apply({"house": settings_of(inbox.server.url("/new"))})
        street.add("gate")
        post = await inbox.next()
        assert (post.asked.target, post.told["camera"]) == ("/new", "gate")


async def test_a_reload_loses_nothing_of_who_stays_and_is_heard_by_who_comes(clock: Clock) -> None:
    async with open_street(inbox := Inbox([Answer(500)] * 3)) as street:
        street.add("front")
        street.add("yard")
        first = await inbox.next()
        changed = settings_of(inbox.server.url("/moved"), secret=SECRET)
        street.webhooks.apply({"house": changed, "other": replace(changed, url=inbox.server.url("/other"))})
        arrived = [await inbox.next() for _ in range(6)]
        taken = {(post.asked.target, post.told["camera"]) for post in arrived[-4:]}
        assert taken == {("/moved", "front"), ("/moved", "yard"), ("/other", "front"), ("/other", "yard")}
        again = [post for post in arrived if post.asked.target == "/moved" and post.told["camera"] == "front"]
        assert again[-1].told["id"] == first.told["id"]
        street.webhooks.apply({"other": None})
        assert set(street.webhooks.statistics()) == {"house"}
        street.add("gate")
        assert (await inbox.next()).asked.target == "/moved"
        await trio.sleep(60)
        assert inbox.is_empty


async def test_other_settings_hold_for_what_is_about_to_be_told(clock: Clock) -> None:
    async with open_street(inbox := Inbox(), after_s=3600.0, events=("camera.down",)) as street:
        street.add("front", CameraState.BACKOFF)
        await trio.sleep(60)
        assert inbox.is_empty
        now_s = trio.current_time()
        street.webhooks.apply({"house": settings_of(inbox.server.url("/hook"), after_s=30.0)})
        post = await inbox.next()
        assert post.told["event"] == "camera.down"
        assert post.at_s < now_s + 10


async def test_without_receivers_nothing_is_asked_and_one_may_come(clock: Clock) -> None:
    async with open_street(inbox := Inbox(), without=True) as street:
        street.add("front")
        await trio.sleep(60)
        changes: Mapping[str, WebhookSettings | None] = {"house": settings_of(inbox.server.url("/hook"))}
        street.webhooks.apply(changes)
        assert (await inbox.next()).told["event"] == "camera.up"
