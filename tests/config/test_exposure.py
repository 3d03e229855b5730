"""Who can reach a listener, and that nobody starts an open one without saying so."""

from dataclasses import replace

import pytest

from camgate.config.address import is_loopback, split_listen
from camgate.config.errors import StartError
from camgate.config.exposure import check_exposure, exposures
from camgate.config.model import (
    AuthSettings,
    MetricsSettings,
    RtspServerSettings,
    ServerSettings,
    Settings,
    UserSettings,
)
from camgate.wire.rtsp.auth import Ha1s
from camgate.wire.rtsp.server_login import hash_password


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:8107", "127.0.0.1", 8107),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("localhost:80", "localhost", 80),
        ("[::]:8107", "::", 8107),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ],
)
def test_listen(listen: str, host: str, port: int) -> None:
    assert split_listen(listen) == (host, port)


@pytest.mark.parametrize(
    "listen",
    [
        "",
        ":8107",
        "8107",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:80",
        "[::1]",
        "[127.0.0.1]:1",
        "cam:1",
        "a b:1",
    ],
)
def test_no_listen(listen: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        split_listen(listen)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "fe80::1%eth0", "::ffff:192.0.2.1"])
def test_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)


USERS = {"recorder": hash_password("recorder", "secret")}


def settings(listen: str = "127.0.0.1:8107", rtsp: str = "", users: dict[str, Ha1s] | None = None) -> Settings:
    server, rtsp_server = ServerSettings(listen=listen), RtspServerSettings(listen=rtsp, users=users or {})
    return Settings(cameras={}, server=server, rtsp_server=rtsp_server)


def test_an_open_listener_needs_insecure() -> None:
    with pytest.raises(StartError) as caught:
        check_exposure(settings("0.0.0.0:8107"), insecure=False)
    assert caught.value.key == "server.listen"
    assert str(caught.value) == (
        "server.listen: 0.0.0.0:8107 can be reached from other machines, and viewers are not asked for a password; "
        "listen on 127.0.0.1:8107, or allow it with --insecure"
    )
    assert (
        "\n  camgate user hash admin --role admin >> {config}\n  camgate run --config {config}" in caught.value.remedy
    )


def test_with_users_it_may_listen_everywhere() -> None:
    anna = UserSettings(name="anna", password_hash="$argon2id$", roles=("viewer",))
    server = ServerSettings(listen="0.0.0.0:8107")
    check_exposure(Settings(cameras={}, server=server, auth=AuthSettings(users={"anna": anna})), insecure=False)


def test_an_open_rtsp_server_needs_users_or_insecure() -> None:
    with pytest.raises(StartError) as caught:
        check_exposure(settings(rtsp="[::]:8554"), insecure=False)
    assert str(caught.value) == (
        "rtsp_server.listen: [::]:8554 can be reached from other machines, and viewers are not asked for a password; "
        "listen on 127.0.0.1:8554, or allow it with --insecure"
    )
    assert '\n  [rtsp_server.users.recorder]\n  password_file = "recorder.password"' in caught.value.remedy
    check_exposure(settings(rtsp="[::]:8554", users=USERS), insecure=False)
    check_exposure(settings(rtsp="127.0.0.1:8554"), insecure=False)


def test_an_open_listener_that_was_allowed_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    check_exposure(settings("0.0.0.0:8107", "0.0.0.0:8554"), insecure=True)
    check_exposure(settings(), insecure=True)
    warning = "everyone who reaches this address sees the cameras, without a password"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"{warning} listen=0.0.0.0:8107"),
        ("WARNING", f"{warning} listen=0.0.0.0:8554"),
    ]


def test_a_loopback_listener_needs_nothing() -> None:
    check_exposure(settings(), insecure=False)
    assert list(exposures(settings())) == []


def test_a_proxy_without_users_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    behind = Settings(cameras={}, server=ServerSettings(trusted_proxies=("192.0.2.1",)))
    check_exposure(behind, insecure=False)
    assert ["proxy" in record.message for record in caplog.records] == [True]
    caplog.clear()
    anna = UserSettings(name="anna", password_hash="$argon2id$", roles=("viewer",))
    check_exposure(replace(behind, auth=AuthSettings(users={"anna": anna})), insecure=False)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("metrics", "has_users", "is_exposed"),
    [
        (MetricsSettings(), False, False),
        (MetricsSettings(listen="127.0.0.1:9090"), False, False),
        (MetricsSettings(listen="0.0.0.0:9090"), False, True),
        (MetricsSettings(listen="0.0.0.0:9090"), True, False),
        (MetricsSettings(listen="0.0.0.0:9090", open=True), False, False),
    ],
)
def test_metrics_are_open_to_a_network_only_where_that_is_said(
    metrics: MetricsSettings, has_users: bool, is_exposed: bool
) -> None:
    user = UserSettings(name="anna", password_hash="", roles=("admin",))
    auth = AuthSettings(users={"anna": user}) if has_users else AuthSettings()
    found = list(exposures(Settings(cameras={}, auth=auth, metrics=metrics)))
    assert [each.key for each in found] == ["metrics.listen"] * is_exposed
    for each in found:
        assert "password" not in str(each)
        assert "open = true" in each.remedy
