"""A camgate elsewhere, as the doctor sees it from here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from camgate.doctor.finding import FAILED, OK, WARNING, Finding, Verdict
from camgate.doctor.reach import Joined, Knock, Reply, candidates_untrusted, knock_tcp, knock_udp
from camgate.doctor.remote import BadUrl, Where, examine_url, judge_pages, judge_roads, where
from tests.fakes.certificates import Certificate, make_certificate

ALIVE = b'{"status": "alive"}'


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://cams.example.org", Where("cams.example.org", 80, False)),
        ("https://cams.example.org/cams/", Where("cams.example.org", 443, True, "/cams")),
        ("http://[fd00::1]:8107/", Where("fd00::1", 8107, False)),
    ],
)
def test_urls(url: str, expected: Where) -> None:
    assert where(url) == expected


@pytest.mark.parametrize(
    "url", ["cams", "ftp://cams/", "http://", "http://anna:hush@cams/", "http://cams:x/", "http://["]
)
def test_urls_that_are_none_are_not_repeated(url: str) -> None:
    with pytest.raises(BadUrl) as caught:
        where(url)
    assert "hush" not in str(caught.value)


@asynccontextmanager
async def serving(certificate: Certificate | None, answers: dict[str, tuple[int, bytes]]) -> AsyncIterator[int]:
    """Serve canned answers over HTTP or HTTPS; yields the port."""

    async def answer(stream: trio.SocketStream) -> None:
        shown = trio.SSLStream(stream, certificate.context, server_side=True) if certificate else stream
        try:
            request = await shown.receive_some(65_536)
            path = request.split()[1].decode()
            status, body = answers.get(path, (404, b""))
            await shown.send_all(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
            await trio.aclose_forcefully(shown)
        except (trio.BrokenResourceError, IndexError):
            pass  # the handshake was all that was wanted

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


def verdicts(findings: list[Finding]) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in findings}


async def test_a_certificate_that_nobody_signed_and_a_list_that_wants_a_login(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="127.0.0.1", days=(-1, 90))
    answers = {"/cams/healthz": (200, ALIVE), "/cams/api/v1/cameras": (401, b"{}")}
    async with serving(certificate, answers) as port:
        findings = await examine_url(f"https://127.0.0.1:{port}/cams", None, "")
    assert verdicts(findings) == {"Name": OK, "Certificate": WARNING, "Pages": OK, "Login": WARNING}
    assert "this machine does not trust it" in findings[1].what


async def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, address="192.0.2.7", days=(-1, 90))
    async with serving(certificate, {"/healthz": (200, ALIVE), "/api/v1/cameras": (200, b"[]")}) as port:
        findings = await examine_url(f"https://127.0.0.1:{port}/", None, "")
    assert "not for 127.0.0.1" in findings[1].what
    assert verdicts(findings)["Joining a camera"] is WARNING


async def test_another_program_and_nobody() -> None:
    async with serving(None, {"/healthz": (200, b"hello")}) as port:
        findings = await examine_url(f"http://127.0.0.1:{port}/", None, "")
        assert verdicts(findings) == {"Name": OK, "Pages": FAILED}
        assert "another program answers" in findings[1].what
    findings = await examine_url(f"http://127.0.0.1:{port}/", None, "")
    assert "connection refused" in findings[1].what
    (unknown,) = await examine_url("http://nosuch.invalid/", None, "")
    assert (unknown.check, unknown.verdict) == ("Name", FAILED)


async def test_a_refused_join() -> None:
    refusal = b'{"detail": "Camera \'front\' sends no pictures."}'
    async with serving(None, {"/healthz": (200, ALIVE), "/whep/front": (503, refusal)}) as port:
        findings = await examine_url(f"http://127.0.0.1:{port}/", "front", "")
    assert findings[-1].what == "front cannot be joined: WHEP failed: 503: Camera 'front' sends no pictures."


async def test_ports_that_nobody_listens_on() -> None:
    assert [knock.reply for knock in await knock_udp(9, ["127.0.0.1"])] == [Reply.REFUSED]
    (knock,) = await knock_tcp(9, ["127.0.0.1"])
    assert (knock.reply, knock.why) == (Reply.REFUSED, "connection refused")


async def test_a_udp_port_that_says_nothing_is_listened_on() -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(("127.0.0.1", 0))
        assert [knock.reply for knock in await knock_udp(sock.getsockname()[1], ["127.0.0.1"])] == [Reply.SILENT]


def test_plain_http_is_warned_of_beyond_this_machine() -> None:
    knocks = [Knock("192.0.2.7", Reply.ANSWERED)]
    assert judge_pages(Where("cams.example.org", 80, False), knocks).verdict is WARNING
    assert judge_pages(Where("cams.example.org", 443, True), knocks).verdict is OK
    assert judge_pages(Where("localhost", 80, False), knocks).verdict is OK


@pytest.mark.parametrize(
    ("udp", "tcp", "expected"),
    [
        (Reply.ANSWERED, Reply.ANSWERED, [OK, OK]),
        (Reply.SILENT, Reply.ANSWERED, [WARNING, OK]),
        (Reply.SILENT, Reply.REFUSED, [FAILED, WARNING]),
        (Reply.ANSWERED, None, [OK]),
    ],
)
def test_roads(udp: Reply, tcp: Reply | None, expected: list[Verdict]) -> None:
    joined = Joined("s", "a:b", "o", "p", (("192.0.2.7", 8108),), (("192.0.2.7", 8108),))
    knocks = [] if tcp is None else [Knock("192.0.2.7", tcp)]
    assert [finding.verdict for finding in judge_roads(joined, [Knock("192.0.2.7", udp)], knocks)] == expected


def test_candidates() -> None:
    text = (
        "a=candidate:1 1 udp 1 192.0.2.7 8108 typ host\r\n"
        "a=candidate:2 1 UDP 1 fd00::1 8108 typ host\r\n"
        "a=candidate:3 1 tcp 1 192.0.2.7 8108 typ host tcptype passive\r\n"
        "a=candidate:4 1 tcp 1 192.0.2.7 9 typ host tcptype active\r\n"
        "a=candidate:5 1 udp 1 name.local 8108 typ host\r\n"
        "a=candidate:6 2 udp 1 192.0.2.9 8108 typ host\r\n"
    )
    assert candidates_untrusted(text, "udp") == (("192.0.2.7", 8108), ("fd00::1", 8108))
    assert candidates_untrusted(text, "tcp") == (("192.0.2.7", 8108),)
