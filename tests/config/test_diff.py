"""What differs between two configs: by examples, and for any two that applying it leads from one to the other."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.config.diff import AT_RUN_TIME, compare
from camgate.config.model import (
    BUILT_IN_ROLES,
    AuthSettings,
    CameraSettings,
    HealthSettings,
    IssuerSettings,
    LimitSettings,
    LoggingSettings,
    RoleSettings,
    ServerSettings,
    Settings,
    Transport,
    TurnSettings,
    UserSettings,
    WebhookSettings,
    WebRtcSettings,
)
from camgate.config.schema import SECTIONS

FRONT = CameraSettings(name="front", url="rtsp://192.0.2.1/a", username="admin", password="hush")
SUB = CameraSettings(name="front/sub", url="rtsp://192.0.2.1/b", on_demand=True)
YARD = CameraSettings(name="yard", url="rtsp://192.0.2.2/a")
ANNA = UserSettings(name="anna", password_hash="hash", roles=("admin",))
COMPANY = IssuerSettings(name="company", issuer="https://id.example", audience=("camgate",))


HOUSE = WebhookSettings(url="https://hooks.example/a", secret="whsec_x")


def settings(*cameras: CameraSettings, **sections: Any) -> Settings:
    return Settings(cameras={camera.name: camera for camera in cameras}, **sections)


@pytest.mark.parametrize(
    ("changes", "keys", "restarts", "asks_anew", "restarts_sub"),
    [
        ({"title": "Front door"}, ("title",), False, False, False),
        ({"groups": ("outside",), "max_viewers": 3}, ("max_viewers", "groups"), False, False, False),
        ({"expected_fps": 5.0}, ("expected_fps",), False, False, False),
        ({"url": "rtsp://192.0.2.9/a"}, ("url",), True, True, False),
        ({"password": "other"}, ("password",), True, True, False),
        ({"transport": Transport.UDP}, ("transport",), True, False, False),
        ({"on_demand": True}, ("on_demand",), True, False, False),
        ({"onvif": "192.0.2.1"}, ("onvif",), False, True, False),
        ({"sub": SUB}, ("sub",), False, False, True),
    ],
)
def test_what_a_changed_key_of_a_camera_asks_for(
    changes: dict[str, Any], keys: tuple[str, ...], restarts: bool, asks_anew: bool, restarts_sub: bool
) -> None:
    (change,) = compare(settings(FRONT, YARD), settings(replace(FRONT, **changes), YARD)).changed
    assert change.keys == keys
    assert (change.restarts, change.asks_anew, change.restarts_sub) == (restarts, asks_anew, restarts_sub)


def test_a_key_of_the_sub_stream_leaves_the_main_one_alone() -> None:
    before, after = replace(FRONT, sub=SUB), replace(FRONT, sub=replace(SUB, url="rtsp://192.0.2.1/c"))
    (change,) = compare(settings(before), settings(after)).changed
    assert change.keys == ("sub.url",)
    assert (change.restarts, change.asks_anew, change.restarts_sub) == (False, False, True)


def test_cameras_that_come_go_and_change_places() -> None:
    gate = replace(YARD, name="gate")
    diff = compare(settings(FRONT, YARD), settings(YARD, gate))
    assert ([camera.name for camera in diff.added], diff.removed, diff.changed) == (["gate"], ("front",), ())
    assert diff.order is None
    assert compare(settings(FRONT, YARD), settings(gate, YARD, FRONT)).order == ("gate", "yard", "front")


@pytest.mark.parametrize(
    ("section", "now", "later"),
    [
        ({"limits": LimitSettings(max_load=0.5)}, ["limits.max_load"], []),
        ({"health": HealthSettings(misses=9)}, ["health.misses"], []),
        ({"webhooks": {"house": HOUSE}}, ["webhooks.house"], []),
        (
            {"server": ServerSettings(listen="127.0.0.1:9", max_viewers=7)},
            ["server.max_viewers"],
            ["server.listen"],
        ),
        ({"logging": LoggingSettings(level="debug", output="file")}, ["logging.level"], ["logging.output"]),
        ({"webrtc": WebRtcSettings(port=9, turn={"t": TurnSettings(urls=())})}, ["webrtc.turn"], ["webrtc.port"]),
    ],
)
def test_what_a_running_camgate_takes(section: dict[str, Any], now: list[str], later: list[str]) -> None:
    diff = compare(settings(FRONT), settings(FRONT, **section))
    assert (list(diff.now), list(diff.later)) == (now, later)


def test_users_and_roles_are_taken_but_not_the_first_and_the_last() -> None:
    none, one = AuthSettings(), AuthSettings(users={"anna": ANNA})
    more = AuthSettings(users={"anna": ANNA, "ben": replace(ANNA, name="ben")}, session_days=1)
    assert compare(settings(auth=one), settings(auth=more)).now == ("auth.users", "auth.session_days")
    for before, after in ((none, one), (one, none)):
        diff = compare(settings(auth=before), settings(auth=after))
        assert (diff.now, diff.later) == ((), ("auth.users",))
        assert (
            diff.taken_by(settings(auth=before)).auth is before or diff.taken_by(settings(auth=before)).auth == before
        )


def test_an_issuer_that_is_gone_is_gone_at_once() -> None:
    other = replace(COMPANY, name="other")
    before = settings(auth=AuthSettings(users={"anna": ANNA}, issuers={"company": COMPANY, "other": other}))
    without = settings(auth=AuthSettings(users={"anna": ANNA}, issuers={"other": other}))
    assert compare(before, without).now == ("auth.issuers",)
    changed = replace(other, default_roles=("viewer",))
    diff = compare(before, settings(auth=AuthSettings(users={"anna": ANNA}, issuers={"other": changed})))
    assert (diff.now, diff.later) == ((), ("auth.issuers",))
    assert diff.taken_by(before).auth.issuers == {"other": other}


def test_the_keys_that_are_taken_exist() -> None:
    for name, keys in AT_RUN_TIME.items():
        assert keys <= SECTIONS[name].keys.keys()


NAMES = st.sampled_from(["front", "yard", "gate", "attic"])
SUBS = st.none() | st.builds(
    CameraSettings, name=st.just("x/sub"), url=st.sampled_from(["rtsp://a/s", "rtsp://b/s"]), on_demand=st.just(True)
)
CAMERAS = st.builds(
    CameraSettings,
    name=st.just("x"),
    url=st.sampled_from(["rtsp://a/", "rtsp://b/"]),
    title=st.none() | st.text(max_size=3),
    password=st.none() | st.just("hush"),
    on_demand=st.booleans(),
    onvif=st.none() | st.just("192.0.2.1"),
    groups=st.tuples() | st.tuples(st.sampled_from(["outside", "inside"])),
    sub=SUBS,
)
ACCOUNTS = st.dictionaries(st.sampled_from(["anna", "ben"]), st.just(ANNA), max_size=2)
ISSUERS = st.dictionaries(
    st.sampled_from(["company", "other"]), st.sampled_from([COMPANY, replace(COMPANY, default_roles=("viewer",))])
)
ANY_SETTINGS = st.builds(
    Settings,
    cameras=st.lists(st.tuples(NAMES, CAMERAS), unique_by=lambda each: each[0], max_size=3).map(
        lambda pairs: {name: replace(camera, name=name) for name, camera in pairs}
    ),
    server=st.builds(ServerSettings, listen=st.sampled_from(["127.0.0.1:1", "127.0.0.1:2"]), max_viewers=st.just(9)),
    limits=st.builds(LimitSettings, max_load=st.sampled_from([0.5, 0.9])),
    webhooks=st.dictionaries(
        st.sampled_from(["house", "pager"]), st.sampled_from([HOUSE, replace(HOUSE, after_s=0.0)]), max_size=2
    ),
    logging=st.builds(
        LoggingSettings, level=st.sampled_from(["info", "debug"]), output=st.sampled_from(["file", "both"])
    ),
    auth=st.builds(
        AuthSettings,
        users=ACCOUNTS,
        issuers=ISSUERS,
        roles=st.sampled_from([BUILT_IN_ROLES, {**BUILT_IN_ROLES, "gate": RoleSettings(view=("gate",))}]),
    ),
)


@given(ANY_SETTINGS)
def test_a_config_does_not_differ_from_itself(one: Settings) -> None:
    assert compare(one, replace(one, cameras=dict(one.cameras))).is_empty


@given(ANY_SETTINGS, ANY_SETTINGS)
def test_applying_what_differs_gives_the_other_config(before: Settings, after: Settings) -> None:
    diff = compare(before, after)
    applied = diff.applied_to(before)
    assert applied == after
    assert list(applied.cameras) == list(after.cameras)
    assert diff.is_empty == (before == after and list(before.cameras) == list(after.cameras))


@given(ANY_SETTINGS, ANY_SETTINGS)
def test_after_a_reload_only_what_changes_at_the_next_start_differs(before: Settings, after: Settings) -> None:
    diff = compare(before, after)
    running = diff.taken_by(before)
    left = compare(running, after)
    assert (left.added, left.removed, left.changed, left.order, left.now) == ((), (), (), None, ())
    assert left.later == diff.later
    assert running.auth.is_on == before.auth.is_on
