"""Share links: for one browser, for their time, and not beyond whoever made them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing

from camgate.auth.access import LOOK_S, UNSHARED, Access, Credentials
from camgate.auth.errors import SharingIsOff
from camgate.auth.identity import EVERYBODY, Action, Grant, Identity, Way
from camgate.auth.leases import OVER
from camgate.auth.renewal import CHANGED
from camgate.auth.shares import ShareGone, Shares, TooManyShares, UnknownShare, identity_of_share
from tests.fakes.accounts import Clock, access_for, auth_settings

FILE = "shares.json"


@pytest.fixture
async def access(tmp_path: Path, clock: Clock) -> Access:
    return access_for({"anna": "operator", "ben": "front"}, tmp_path, clock)


async def maker(access: Access, name: str = "anna") -> Identity:
    identity = await access.identify(Credentials(login=(name, name[::-1])))
    assert identity is not None
    return identity


async def shared(access: Access, clock: Clock, span_s: float = 3600) -> tuple[str, str]:
    share, secret = access.shares.make("front", await maker(access), clock.now_s + span_s, "for the postman")
    return share.share_id, secret


async def guest(access: Access, cookie: str) -> Identity | None:
    return await access.identify(Credentials(shares=(cookie,)))


async def test_a_link_shows_one_camera_until_its_time_is_over(access: Access, clock: Clock) -> None:
    _, secret = await shared(access, clock)
    share, cookie = await access.open_share(secret)
    identity = await guest(access, cookie)
    assert identity is not None
    assert (identity.way, identity.name, identity.expires_at) == (Way.SHARE, "share of anna", clock.now_s + 3600)
    assert identity.may(Action.VIEW, "front")
    assert not identity.may(Action.VIEW, "yard")
    assert not any(identity.may(action, "front") for action in Action if action is not Action.VIEW)
    clock.now_s += 3600
    assert await guest(access, cookie) is None
    assert share.label == "for the postman"


async def test_the_first_browser_has_it(access: Access, clock: Clock) -> None:
    _, secret = await shared(access, clock)
    await access.open_share(secret)
    with pytest.raises(ShareGone, match="opened before"):
        await access.open_share(secret)


@pytest.mark.parametrize("wrong", ["", "x", "a" * 10_000, "\ud800", "../../etc/passwd"])
async def test_a_secret_that_is_none_opens_nothing(access: Access, clock: Clock, wrong: str) -> None:
    _, secret = await shared(access, clock)
    for each in (wrong, secret[:-1], secret + "x"):
        with pytest.raises(ShareGone, match="leads nowhere"):
            await access.open_share(each)


async def test_a_link_that_is_too_old_opens_nothing(access: Access, clock: Clock) -> None:
    _, secret = await shared(access, clock, 60)
    clock.now_s += 60
    with pytest.raises(ShareGone, match="its time is over"):
        await access.open_share(secret)


async def test_links_outlive_a_restart_and_used_ones_stay_used(access: Access, clock: Clock, tmp_path: Path) -> None:
    _, secret = await shared(access, clock)
    _, other = await shared(access, clock)
    _, cookie = await access.open_share(secret)
    again = access_for({"anna": "operator"}, tmp_path, clock)
    assert await guest(again, cookie) is not None
    with pytest.raises(ShareGone, match="opened before"):
        await again.open_share(secret)
    await again.open_share(other)


async def test_what_is_kept_opens_nothing(access: Access, clock: Clock, tmp_path: Path) -> None:
    _, secret = await shared(access, clock)
    share, cookie = await access.open_share(secret)
    kept = (tmp_path / FILE).read_text()
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    assert secret not in kept
    assert cookie not in kept
    assert secret not in json.dumps(share.facts())
    assert share.secret_hash not in json.dumps(share.facts())
    assert share.browser not in json.dumps(share.facts())


async def test_a_link_that_is_taken_back_ends_what_was_given_by_it(access: Access, clock: Clock) -> None:
    share_id, secret = await shared(access, clock)
    _, cookie = await access.open_share(secret)
    identity = await guest(access, cookie)
    assert identity is not None
    ended: list[str] = []
    access.leases.take(identity, ended.append, "front")
    with pytest.raises(UnknownShare):
        await access.end_share("yard", share_id)
    await access.end_share("front", share_id)
    assert ended == ["the share was taken back"]
    assert await guest(access, cookie) is None
    with pytest.raises(ShareGone):
        await access.open_share(secret)


@pytest.mark.parametrize("change", ["maker removed", "maker sees it no more", "camera removed", "nothing"])
async def test_nobody_gives_away_more_than_they_have(access: Access, clock: Clock, change: str) -> None:
    _, secret = await shared(access, clock)
    _, unopened = await shared(access, clock)
    _, cookie = await access.open_share(secret)
    identity = await guest(access, cookie)
    assert identity is not None
    ended: list[str] = []
    access.leases.take(identity, ended.append, "front")
    access.apply(access.settings, {"front": (), "yard": ()})
    settings = access.settings
    match change:
        case "maker removed":
            settings = replace(settings, users={"ben": settings.users["ben"]})
        case "maker sees it no more":
            anna = replace(settings.users["anna"], roles=("yard",))
            settings = replace(settings, users={**settings.users, "anna": anna})
    cameras: dict[str, tuple[str, ...]] = {"front": (), "yard": ()}
    if change == "camera removed":
        del cameras["front"]
    is_over = change != "nothing"
    assert access.apply(settings, cameras) == is_over
    assert ended == ["the permission was taken away"] * is_over
    await access.keep_shares_of(cameras)
    now = await guest(access, cookie)
    assert (now is not None and now.may(Action.VIEW, "front")) is not is_over
    if change == "camera removed":
        access.apply(settings, {"front": ()})  # another camera of the same name is not the one that was shared
        with pytest.raises(ShareGone):
            await access.open_share(unopened)


async def test_what_a_token_shares_ends_with_the_token(access: Access, clock: Clock) -> None:
    token = Identity(
        name="t",
        way=Way.TOKEN,
        grants=(Grant(Action.CONTROL, ("front",)),),
        stands_on=("id:77",),
        expires_at=clock.now_s + 100,
    )
    share, secret = access.shares.make("front", token, clock.now_s + 5000, "")
    assert share.ends_s == clock.now_s + 100
    _, cookie = await access.open_share(secret)
    assert await guest(access, cookie) is not None
    await access.revoke_token("77", clock.now_s + 100)
    assert await guest(access, cookie) is None


async def test_what_a_session_shares_outlives_the_session(access: Access, clock: Clock) -> None:
    session, _ = access.start_session(await maker(access))
    identity = await access.identify(Credentials(session=session))
    assert identity is not None
    _, secret = access.shares.make("front", identity, clock.now_s + 90 * 86_400, "")
    _, cookie = await access.open_share(secret)
    await access.end_session(session)
    assert await guest(access, cookie) is not None


async def test_a_cookie_of_another_kind_is_none(access: Access, clock: Clock) -> None:
    session, _ = access.start_session(await maker(access))
    _, secret = await shared(access, clock)
    _, cookie = await access.open_share(secret)
    assert await guest(access, session) is None
    assert await access.identify(Credentials(session=cookie)) is None


async def test_links_widen_what_one_sees_each_for_its_time(
    access: Access, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    """Ben, who is signed in and may view front, and a guest open the same links of yard and back."""

    async def opened(camera: str, span_s: float) -> tuple[str, str]:
        share, secret = access.shares.make(camera, await maker(access), clock.now_s + span_s, "")
        return share.share_id, (await access.open_share(secret))[1]

    access.apply(access.settings, {"front": (), "yard": (), "back": (), "shed": ()})
    (_, yard), (back_id, back) = await opened("yard", 3600), await opened("back", 7200)
    session, _ = access.start_session(await maker(access, "ben"))
    ben = await access.identify(Credentials(session=session, shares=(yard, back)))
    both = await access.identify(Credentials(shares=(yard, back)))
    assert ben is not None
    assert both is not None
    assert (ben.name, ben.way, both.name, both.way) == ("ben", Way.SESSION, "share of anna", Way.SHARE)
    cameras = ("front", "yard", "back", "shed")
    assert [camera for camera in cameras if ben.may(Action.VIEW, camera)] == ["front", "yard", "back"]
    assert [camera for camera in cameras if both.may(Action.VIEW, camera)] == ["yard", "back"]
    assert not any(each.may_somewhere(Action.CONTROL) or each.may_everywhere(Action.VIEW) for each in (ben, both))

    ended: list[tuple[str, str | None, str]] = []
    for who, identity in (("ben", ben), ("guest", both)):
        for camera in (None, "front", "yard", "back") if who == "ben" else (None, "yard", "back"):
            access.leases.take(
                identity, lambda reason, who=who, camera=camera: ended.append((who, camera, reason)), camera
            )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access.leases.run)
        await trio.testing.wait_all_tasks_blocked()
        assert ended == []
        clock.now_s += 3600
        await trio.sleep(61)
        nursery.cancel_scope.cancel()
    assert sorted(ended, key=str) == sorted(
        [(who, None, CHANGED) for who in ("ben", "guest")] + [(who, "yard", OVER) for who in ("ben", "guest")], key=str
    )
    ended.clear()
    await access.end_share("back", back_id)
    assert sorted(ended) == [("ben", "back", UNSHARED), ("guest", "back", UNSHARED)]
    ended.clear()
    await access.end_session(session)
    assert ended == [("ben", "front", "signed out")]


async def test_a_session_that_ends_takes_along_what_was_open_by_a_link(access: Access, clock: Clock) -> None:
    _, secret = await shared(access, clock)
    _, cookie = await access.open_share(secret)
    session, _ = access.start_session(await maker(access, "ben"))
    identity = await access.identify(Credentials(session=session, shares=(cookie,)))
    assert identity is not None
    ended: list[str] = []
    access.leases.take(identity, ended.append, "front")
    await access.end_session(session)
    assert ended == ["signed out"]
    assert await guest(access, cookie) is not None


def test_there_are_only_so_many(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("camgate.auth.shares.MAX_SHARES", 5)
    shares = Shares(tmp_path / FILE, clock)
    for _ in range(5):
        shares.make("front", EVERYBODY, clock.now_s + 60, "")
    with pytest.raises(TooManyShares):
        shares.make("front", EVERYBODY, clock.now_s + 60, "")
    clock.now_s += 60
    shares.make("front", EVERYBODY, clock.now_s + 60, "")
    assert len(shares.of_camera("front")) == 1


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"camera":1}]', "\x00", "[" * 100_000, '{"a":[]}'])
def test_a_file_that_is_none_is_no_links(tmp_path: Path, clock: Clock, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert Shares(tmp_path / FILE, clock).of_camera("front") == []


async def test_without_users_there_is_nothing_to_share() -> None:
    with pytest.raises(SharingIsOff):
        await Access().open_share("x")


def test_a_share_of_somebody_who_is_gone_is_nobody(tmp_path: Path, clock: Clock) -> None:
    shares = Shares(tmp_path / FILE, clock)
    anna = Identity(name="anna", way=Way.PASSWORD, grants=(Grant(Action.ADMIN),), stands_on=("user:anna",))
    share, _ = shares.make("front", anna, clock.now_s + 60, "")
    assert identity_of_share(auth_settings({"ben": "viewer"}), share) is None


async def test_a_command_and_the_daemon_share_one_list(
    tmp_path: Path, clock: Clock, autojump_clock: trio.testing.MockClock
) -> None:
    access = access_for({"anna": "operator"}, tmp_path, clock)
    command = Shares(tmp_path / FILE, clock)
    ours, _ = access.shares.make("yard", EVERYBODY, clock.now_s + 600, "")
    made, secret = command.make("front", EVERYBODY, clock.now_s + 600, "")
    assert access.shares.all() == command.all() == [ours, made]
    _, cookie = await access.open_share(secret)
    with pytest.raises(ShareGone, match="opened before"):
        command.open(secret)
    identity = await guest(access, cookie)
    assert identity is not None
    ended: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(access.run)
        access.leases.take(identity, ended.append, "front")
        await trio.sleep(2 * LOOK_S)
        assert ended == []
        command.end(None, made.share_id)
        assert access.shares.all() == [ours]  # who lists them meanwhile reads the file first
        await trio.sleep(2 * LOOK_S)
        assert ended == ["the share was taken back"]
        nursery.cancel_scope.cancel()
    assert await guest(access, cookie) is None
    assert [each.share_id for each in access.shares.all()] == [ours.share_id]
