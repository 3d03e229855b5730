"""What browsers elsewhere need, in words."""

import pytest

from camgate.config.model import AuthSettings, ServerSettings, Settings, UserSettings, WebRtcSettings
from camgate.doctor.finding import FAILED, OK, WARNING, Verdict
from camgate.doctor.outside import is_private, look_outside

USERS = AuthSettings(users={"anna": UserSettings(name="anna", password_hash="$argon2id$", roles=("viewer",))})
PRIVATE, PUBLIC = "192.168.1.5", "8.8.8.8"


def verdicts(listen: str, advertise: tuple[str, ...], local: list[str], auth: AuthSettings) -> list[Verdict]:
    settings = Settings(
        cameras={}, server=ServerSettings(listen=listen), webrtc=WebRtcSettings(advertise=advertise), auth=auth
    )
    return [finding.verdict for finding in look_outside(settings, local)]


@pytest.mark.parametrize(
    ("listen", "advertise", "local", "expected"),
    [
        ("127.0.0.1:8107", ("auto",), [PRIVATE], [OK, OK, OK]),
        ("0.0.0.0:8107", ("auto",), [PRIVATE], [WARNING, OK, WARNING]),
        ("0.0.0.0:8107", ("auto",), [PRIVATE, PUBLIC], [WARNING, OK, OK]),
        ("0.0.0.0:8107", ("auto", "cams.example.org"), [PRIVATE], [WARNING, OK, OK]),
        ("0.0.0.0:8107", ("auto",), [], [WARNING, FAILED, WARNING]),
        ("0.0.0.0:8107", ("192.168.1.5",), [PUBLIC], [WARNING, OK, WARNING]),
    ],
    ids=["loopback", "private", "public", "name", "no address", "private only by config"],
)
def test_who_can_reach_us(listen: str, advertise: tuple[str, ...], local: list[str], expected: list[Verdict]) -> None:
    assert verdicts(listen, advertise, local, USERS) == expected


@pytest.mark.parametrize(
    "server",
    [
        ServerSettings(listen="0.0.0.0:8107", tls_certificate="cert.pem"),
        ServerSettings(listen="0.0.0.0:8107", trusted_proxies=("10.0.0.1",)),
    ],
    ids=["HTTPS", "a proxy"],
)
def test_passwords_that_nobody_can_read_on_the_way(server: ServerSettings) -> None:
    assert look_outside(Settings(cameras={}, server=server, auth=USERS), [PRIVATE])[0].verdict is OK


def test_passwords_that_can_be_read_on_the_way() -> None:
    finding = look_outside(Settings(cameras={}, server=ServerSettings(listen="0.0.0.0:8107"), auth=USERS), [])[0]
    assert finding.what.startswith("0.0.0.0:8107 is plain HTTP")
    assert "tls_certificate" in finding.to_do


def test_a_listener_that_asks_nobody() -> None:
    assert verdicts("0.0.0.0:8107", ("auto",), [PUBLIC], AuthSettings())[0] is FAILED


def test_private_addresses_come_with_what_to_forward() -> None:
    settings = Settings(cameras={}, server=ServerSettings(listen="0.0.0.0:8107"), webrtc=WebRtcSettings(port=9000))
    finding = look_outside(settings, [PRIVATE, "fd00::2"])[-1]
    assert finding.what.startswith("they are told 192.168.1.5, fd00::2: private addresses")
    assert "forward UDP and TCP port 9000" in finding.to_do


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("10.1.2.3", True),
        ("100.64.0.1", True),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("nas.local", True),
        ("8.8.8.8", False),
        ("[2001:4860:4860::8888]", False),
        ("cams.example.org", False),
    ],
)
def test_private_addresses(name: str, expected: bool) -> None:
    assert is_private(name) is expected
