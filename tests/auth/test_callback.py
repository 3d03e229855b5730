"""The operator's own server: what it is asked, what its answers mean, and that no answer lets nobody in."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from camgate.auth.access import ASK_AGAIN_S, Access, Credentials, Wanted
from camgate.auth.callback import RETRY_S
from camgate.auth.errors import LoginRefused, LoginsDown, TooManyLogins
from camgate.auth.identity import Action, Identity, Way
from camgate.config.model import AuthSettings, CallbackSettings
from tests.fakes.accounts import ROLES, auth_settings
from tests.fakes.backend import Backend
from tests.fakes.web_server import Answer, WebServer, web_server

CAMERAS: dict[str, tuple[str, ...]] = {"front": (), "yard": (), "garage": ()}
NOW_S = 1_800_000_000.0


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
async def web(backend: Backend) -> AsyncIterator[WebServer]:
    async with web_server(backend) as server:
        yield server


def access_by(url: str, state: Path, **fields: Any) -> Access:
    settings = AuthSettings(roles=ROLES, callback=CallbackSettings(url=url, **fields))
    # Whoever has to wait after wrong logins does so however long the test takes.
    return Access(settings, state, cameras=CAMERAS, clock=lambda: NOW_S, monotonic=lambda: NOW_S)


@pytest.fixture
async def access(web: WebServer, tmp_path: Path) -> AsyncIterator[Access]:
    access = access_by(web.url("/auth"), tmp_path)
    yield access
    await access.aclose()


ANNA = Credentials(address="192.0.2.7", login=("anna", "hush"), query="wait=5")


def questions(web: WebServer) -> list[dict[str, str]]:
    return [json.loads(asked.body) for asked in web.asked]


def may_see(identity: Identity | None) -> set[str]:
    assert identity is not None
    return {camera for camera in CAMERAS if identity.may(Action.VIEW, camera)}


async def test_it_is_asked_as_users_of_mediamtx_know_it(access: Access, web: WebServer) -> None:
    identity = await access.identify(ANNA, Wanted(Action.VIEW, "front"))
    assert identity is not None
    assert (identity.name, identity.way) == ("anna", Way.CALLBACK)
    assert may_see(identity) == {"front"}
    (asked,) = web.asked
    assert (asked.method, asked.target) == ("POST", "/auth")
    question = json.loads(asked.body)
    assert len(question.pop("id")) == 32
    assert question == {
        "user": "anna",
        "password": "hush",
        "token": "",
        "ip": "192.0.2.7",
        "action": "read",
        "path": "front",
        "protocol": "webrtc",
        "query": "wait=5",
    }


async def test_of_a_list_it_is_asked_camera_by_camera(access: Access, web: WebServer) -> None:
    assert may_see(await access.identify(ANNA)) == {"front", "yard"}
    assert sorted(question["path"] for question in questions(web)) == ["front", "garage", "yard"]


@pytest.mark.parametrize(
    ("wanted", "action", "path"),
    [
        (Wanted(Action.PLAYBACK, "front"), "playback", "front"),
        (Wanted(Action.CONTROL, "front"), "api", "front"),
        (Wanted(Action.ADMIN, everywhere=True), "api", ""),
    ],
)
async def test_actions_have_its_names(
    access: Access, web: WebServer, backend: Backend, wanted: Wanted, action: str, path: str
) -> None:
    backend.allows = {("anna", action, path)}
    identity = await access.identify(ANNA, wanted)
    assert identity is not None
    assert identity.may_everywhere(wanted.action) if wanted.everywhere else identity.may(wanted.action, "front")
    assert [(question["action"], question["path"]) for question in questions(web)] == [(action, path)]


async def test_a_refusal_is_no_wrong_login(access: Access) -> None:
    assert may_see(await access.identify(ANNA, Wanted(Action.VIEW, "garage"))) == set()


async def test_a_wrong_login_is_refused_and_whoever_guesses_has_to_wait(access: Access) -> None:
    for guess in range(5):
        with pytest.raises(LoginRefused):
            await access.identify(Credentials(address="192.0.2.7", login=("anna", f"{guess}")))
    with pytest.raises(TooManyLogins):
        await access.identify(ANNA)


async def test_guesses_that_are_sent_at_once_have_to_wait_as_well(access: Access) -> None:
    answers: Counter[type[Exception]] = Counter()

    async def guess(password: str) -> None:
        try:
            await access.sign_in("anna", password, "192.0.2.7")
        except (LoginRefused, TooManyLogins) as error:
            answers[type(error)] += 1

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(guess, f"{number}")
    assert answers == {LoginRefused: 5, TooManyLogins: 15}


async def test_nobody_in_particular_is_asked_about_too(access: Access, backend: Backend) -> None:
    assert await access.identify(Credentials(address="192.0.2.7")) is None
    backend.instead = Answer(200)
    backend.allows = set()
    identity = await access.identify(Credentials(address="192.0.2.8"), Wanted(Action.VIEW, "front"))
    assert may_see(identity) == {"front"}


async def test_a_token_that_is_not_ours_is_asked_about(access: Access, backend: Backend, web: WebServer) -> None:
    backend.allows = {("x.y.z", "read", "front")}
    identity = await access.identify(Credentials(bearer="x.y.z"), Wanted(Action.VIEW, "front"))
    assert may_see(identity) == {"front"}
    assert questions(web)[0]["token"] == "x.y.z"
    assert identity is not None
    assert "x.y.z" not in repr(identity)


async def test_an_answer_is_remembered_for_a_while_and_for_its_login_only(
    access: Access, web: WebServer, backend: Backend, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.1
    front = Wanted(Action.VIEW, "front")
    for _ in range(3):
        await access.identify(ANNA, front)
    assert len(web.asked) == 1
    with pytest.raises(LoginRefused):
        await access.identify(Credentials(address="192.0.2.7", login=("anna", "other")), front)
    assert len(web.asked) == 2
    backend.allows = {("anna", "read", "yard")}
    assert may_see(await access.identify(ANNA, front)) == {"front"}
    await trio.sleep(10)
    assert may_see(await access.identify(ANNA, front)) == set()


async def test_who_asks_the_same_at_once_is_asked_about_once(access: Access, web: WebServer) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(access.identify, ANNA, Wanted(Action.VIEW, "front"))
    assert len(web.asked) == 1


@pytest.mark.parametrize("answer", [Answer(500), Answer(503), Answer(200, after_s=5)])
async def test_without_an_answer_nobody_is_let_in(
    access: Access, backend: Backend, answer: Answer, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.2
    backend.instead = answer
    for wanted in (Wanted(Action.VIEW, "front"), Wanted()):
        with pytest.raises(LoginsDown) as down:
            await access.identify(ANNA, wanted)
        assert down.value.status == 503
        assert down.value.retry_after_s == RETRY_S
    backend.instead = None
    assert may_see(await access.identify(ANNA)) == {"front", "yard"}  # no answer is not remembered


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404])
async def test_any_other_answer_refuses(access: Access, backend: Backend, status: int, web: WebServer) -> None:
    backend.instead = Answer(status, headers=(("Location", "/elsewhere"),))
    nobody = Credentials(address="192.0.2.7")
    assert may_see(await access.identify(nobody, Wanted(Action.VIEW, "front"))) == set()
    assert [asked.target for asked in web.asked] == ["/auth"]
    # A login that is good for nothing is a wrong one, whatever it is refused with.
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await access.sign_in("anna", "guess", "192.0.2.7")
    assert access.logins_refused == 5
    backend.instead = None
    for way_in in (access.sign_in("anna", "hush", "192.0.2.7"), access.identify(ANNA)):
        with pytest.raises(TooManyLogins):
            await way_in


@pytest.mark.parametrize("allowed", [("playback", "yard"), ("api", "front"), ("api", "")])
async def test_who_may_do_anything_at_all_signs_in(access: Access, backend: Backend, allowed: tuple[str, str]) -> None:
    backend.allows = {("anna", *allowed)}
    for _ in range(6):
        assert may_see(await access.sign_in("anna", "hush", "192.0.2.7")) == set()
    assert access.throttle.refused == 0


async def test_users_of_the_config_come_first(web: WebServer, tmp_path: Path) -> None:
    settings = auth_settings({"ben": "viewer"})
    both = AuthSettings(users=settings.users, roles=ROLES, callback=CallbackSettings(url=web.url()))
    access = Access(both, tmp_path, cameras=CAMERAS)
    identity = await access.identify(Credentials(login=("ben", "neb")))
    assert identity is not None
    assert identity.way is Way.PASSWORD
    assert web.asked == []
    await access.aclose()


async def test_a_session_by_it_lasts_as_long_as_it_says_yes(access: Access, backend: Backend) -> None:
    identity = await access.sign_in("anna", "hush", "192.0.2.7")
    session, _ = access.start_session(identity, "hush", "192.0.2.7")
    assert "hush" not in session
    again = await access.identify(Credentials(address="192.0.2.7", session=session), Wanted(Action.VIEW, "yard"))
    assert may_see(again) == {"yard"}
    assert again is not None
    assert again.way is Way.SESSION
    await access.end_session(session)
    assert await access.identify(Credentials(address="192.0.2.7", session=session)) is None


async def test_what_its_users_share_ends_within_a_day(access: Access, backend: Backend) -> None:
    backend.allows.add(("anna", "api", "front"))
    session, _ = access.start_session(await access.sign_in("anna", "hush", "192.0.2.7"), "hush", "192.0.2.7")
    for shown in (ANNA, Credentials(address="192.0.2.7", session=session)):
        maker = await access.identify(shown, Wanted(Action.CONTROL, "front"))
        assert maker is not None
        assert maker.may(Action.CONTROL, "front")
        for span_s, kept_s in ((3600, 3600), (90 * 86_400, 86_400)):
            share, _ = await access.make_share("front", maker, NOW_S + span_s, "")
            assert share.ends_s == NOW_S + kept_s


async def test_whoever_watches_is_asked_about_again(
    access: Access, backend: Backend, autojump_clock: trio.testing.MockClock
) -> None:
    autojump_clock.autojump_threshold = 0.03
    ended: list[str] = []
    identity = await access.identify(ANNA)
    assert identity is not None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access.run)
        access.leases.take(identity, lambda _: ended.append("front"), "front")
        access.leases.take(identity, lambda _: ended.append("yard"), "yard")
        await trio.sleep(ASK_AGAIN_S + 1)
        assert ended == []
        backend.instead = Answer(500)  # no answer takes nothing away
        await trio.sleep(ASK_AGAIN_S)
        assert ended == []
        backend.instead = None
        backend.allows.discard(("anna", "read", "yard"))
        await trio.sleep(ASK_AGAIN_S)
        assert ended == ["yard"]
        nursery.cancel_scope.cancel()


async def test_no_password_is_in_what_is_kept_or_logged(
    access: Access, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    backend.instead = Answer(500)
    with pytest.raises(LoginsDown):
        await access.identify(ANNA)
    assert "hush" not in caplog.text
    assert "hush" not in repr(Credentials(login=("anna", "hush"), bearer="hush", session="hush", shares=("hush",)))
