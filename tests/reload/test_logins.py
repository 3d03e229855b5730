"""What may be changed of a camera without its password, and what would send that to somebody else."""

from typing import Any

import pytest

from camgate.config.errors import ConfigError
from camgate.reload.logins import check_logins_stay
from camgate.reload.reloader import patched

SAVED = {
    "url": "rtsp://192.0.2.1/a",
    "username": "me",
    "password": "hush",
    "onvif": "192.0.2.1:80",
    "sub": {"url": "rtsp://192.0.2.2/b", "username": "me", "password": "hush"},
}


def check(changes: dict[str, Any], saved: dict[str, Any] = SAVED) -> None:
    check_logins_stay("gate", saved, changes, patched(saved, changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Gate"},
        {"url": "rtsp://192.0.2.1:554/other"},
        {"url": "RTSP://192.0.2.1/other?channel=2"},
        {"tls_insecure": True},  # nothing that rtsp:// goes by
        {"url": "rtsp://192.0.2.9/a", "password": "new"},
        {"url": "rtsp://192.0.2.9/a", "username": None, "password": None},
        {"onvif": None},
        {"onvif": "http://192.0.2.1:80/onvif"},
        {"sub": None},
        {"sub": {"url": "rtsp://192.0.2.9/b", "password": "new"}},
        {"url": "what is no URL at all"},
    ],
)
def test_what_may_be_changed(changes: dict[str, Any]) -> None:
    check(changes)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"url": "rtsp://192.0.2.9/a"}, "cameras.gate.password"),
        ({"url": "rtsp://192.0.2.9/a", "username": "you"}, "cameras.gate.password"),
        ({"url": "rtsp://192.0.2.1:8554/a"}, "cameras.gate.password"),
        ({"url": "rtsps://192.0.2.1/a"}, "cameras.gate.password"),
        ({"onvif": "192.0.2.9"}, "cameras.gate.password"),
        ({"onvif": "http://192.0.2.1:8080/onvif"}, "cameras.gate.password"),
        ({"onvif": "192.0.2.9", "sub": None}, "cameras.gate.password"),
        ({"sub": {"url": "rtsp://192.0.2.1/b"}}, "cameras.gate.sub.password"),
    ],
)
def test_what_would_send_a_password_elsewhere(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as error:
        check(changes)
    assert [problem.key for problem in error.value.problems] == [key]
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [{"url": "rtsp://192.0.2.1:322/a"}, {"tls_insecure": True}, {"tls_fingerprint": "aa"}, {"tls_fingerprint": None}],
)
def test_a_password_that_was_protected_stays_so(changes: dict[str, Any]) -> None:
    saved = {"url": "rtsps://192.0.2.1:322/a", "username": "me", "password": "hush", "tls_fingerprint": "bb"}
    check({"title": "Gate", "tls_insecure": False}, saved)
    with pytest.raises(ConfigError, match="write it once more"):
        check(changes, saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": {"url": "rtsp://192.0.2.1:322/b"}},
        {"sub": {"url": "rtsps://192.0.2.1:9999/b"}},
        {"sub": {"url": "rtsps://192.0.2.1:322/b", "tls_insecure": True}},
    ],
)
def test_a_password_that_a_sub_stream_has_of_its_camera_stays_too(changes: dict[str, Any]) -> None:
    saved = {"url": "rtsps://192.0.2.1:322/a", "username": "me", "password": "hush"}
    check({"sub": {"url": "rtsps://192.0.2.1:322/b"}}, saved)
    check({"sub": {"url": "rtsp://192.0.2.1:9999/b", "username": "you", "password": "else"}}, saved)
    check({"sub": {"url": "rtsp://192.0.2.2:9999/b"}}, saved)  # another host is sent none
    check(changes | {"password": "new"}, saved)
    with pytest.raises(ConfigError, match=r"cameras\.gate\.password"):
        check(changes, saved)


def test_whom_a_sub_stream_trusts_as_its_camera_does_counts_for_its_password() -> None:
    sub = {"url": "rtsps://192.0.2.1/b", "username": "me", "password": "hush"}
    saved = {"url": "rtsps://192.0.2.1/a", "sub": sub}
    with pytest.raises(ConfigError, match=r"cameras\.gate\.sub\.password"):
        check({"tls_insecure": True}, saved)
    check({"tls_insecure": True, "sub": {"password": "new"}}, saved)


def test_a_camera_without_a_password_goes_anywhere() -> None:
    check({"url": "rtsp://192.0.2.9/a"}, {"url": "rtsp://192.0.2.1/a"})
