"""The zoo, part one: what cameras do to RTSP. The whole ingest in front of each; docs/cameras.md lists them all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock as Clock

from camgate.base.secrets import forget_secrets
from camgate.config.load import load
from camgate.config.model import CameraSettings
from camgate.relay.source import CameraState
from tests.fakes.camera_script import FIXTURES
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.film import Film, Packet, one_by_one
from tests.fakes.liar import Liar, Login, script
from tests.fakes.zoo import shown

VENDORS = sorted(path.stem for path in FIXTURES.glob("*.txt"))


async def plays(camera: Liar, seconds: float = 3.0, *, count: int | None = None, **settings: Any) -> None:
    """Watch a camera for some seconds: all its pictures come, whole and on time, and nothing is wrong with it."""
    async with shown(camera, **settings) as show:
        await trio.sleep(seconds)
        show.assert_whole(round(seconds * camera.film.fps) - 3 if count is None else count)
    assert camera.surprises == []
    assert camera.methods[-1] == "TEARDOWN"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_vendor_plays(vendor: str, autojump_clock: Clock) -> None:
    await plays(Liar((FIXTURES / f"{vendor}.txt").read_text()), username="admin", password="s3cret", count=20)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_vendor_plays_over_tls(vendor: str, certificate: Certificate, autojump_clock: Clock) -> None:
    camera = Liar((FIXTURES / f"{vendor}.txt").read_text())
    camera.tls = certificate.context
    settings = CameraSettings(
        name="liar",
        url="rtsps://192.0.2.7/stream",
        username="admin",
        password="s3cret",
        tls_fingerprint=certificate.fingerprint,
    )
    await plays(camera, settings=settings, count=20)


# Login.


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
async def test_digest_of_one_algorithm_only(algorithm: str, autojump_clock: Clock) -> None:
    camera = Liar(script(), login=Login(algorithm=algorithm))
    await plays(camera, username="admin", password="right")


BASIC, DIGEST = 'Basic realm="liar"', 'Digest realm="liar", nonce="{nonce}"'


@pytest.mark.parametrize(
    "challenges",
    [(BASIC, DIGEST), (DIGEST, BASIC), (f"{BASIC}, {DIGEST}",), ("Bearer", f"{DIGEST}, algorithm=SHA-512", DIGEST)],
    ids=["Basic first", "Digest first", "in one header", "among unknown ones"],
)
async def test_several_challenges(challenges: tuple[str, ...], autojump_clock: Clock) -> None:
    await plays(Liar(script(), login=Login(challenges=challenges)), username="admin", password="right")


async def test_a_nonce_that_changes_each_twenty_seconds_on_keepalives_too(autojump_clock: Clock) -> None:
    camera = Liar(script(), Film(fps=2, gop=4), login=Login(nonce_lifetime_s=20))
    await plays(camera, 195, username="admin", password="right")
    keepalives = [request for request in camera.requests if request.method == "GET_PARAMETER"]
    # Each is refused for its nonce and comes again at once with the next one.
    assert len(keepalives) == 14
    assert len(camera.dialled) == 1


SPECIAL = "p@:/#?%41 w%"


@pytest.mark.parametrize(
    ("lines", "password"),
    [
        ([f'url = "rtsp://admin:{SPECIAL}@192.0.2.7/stream"'], SPECIAL.replace("%41", "A")),
        (['url = "rtsp://192.0.2.7/stream"', 'username = "admin"', f'password = "{SPECIAL}"'], SPECIAL),
    ],
    ids=["in the URL", "in keys"],
)
async def test_a_password_of_special_characters(
    lines: list[str], password: str, tmp_path: Path, autojump_clock: Clock
) -> None:
    config = tmp_path / "camgate.toml"
    config.write_text("\n".join(["[cameras.liar]", *lines]))
    settings = load(config, {}).cameras["liar"]
    forget_secrets()
    await plays(Liar(script(), login=Login(password=password)), settings=settings)


async def test_a_camera_that_is_full_answers_401(autojump_clock: Clock) -> None:
    """Dahua: wrong password, it says, when its connections are used up."""
    camera = Liar(script(), login=Login())
    async with shown(camera, username="admin", password="right") as show:
        await trio.sleep(3)
        assert camera.login is not None
        right, camera.login = camera.login, Login(password="nobody has this one")
        camera.hang_up()
        await trio.sleep(5)
        assert "although these credentials worked before" in str(show.source.last_error)
        camera.login = right
        await trio.sleep(120)
        assert show.source.state is CameraState.LIVE


# URLs and headers.


@pytest.mark.parametrize(
    "base",
    [
        "",
        "Content-Base: rtsp://10.1.2.3:8554/stream/\n",
        "Content-Base: rtsp://192.0.2.7/stream\n",
        "Content-Base: 192.0.2.7:554/stream/\n",
        "Content-Base: rtsp://rtsp://192.0.2.7/stream/\n",
        "Content-Base: /stream/\n",
        "Content-Base: rtsp://::ffff:192.0.2.7/stream/\n",
        "Content-Base: rtsp://admin:hush@192.0.2.7/stream/\n",
        "Content-Base: this is no URL\n",
        "Content-Base:\n",
        "Content-Location: rtsp://192.0.2.7/stream/\n",
    ],
    ids=[
        "missing",
        "of another host",
        "without slash",
        "without scheme",
        "scheme doubled",
        "only a path",
        "IPv6 without brackets",
        "with credentials",
        "no URL",
        "empty",
        "called Content-Location",
    ],
)
async def test_a_content_base(base: str, autojump_clock: Clock) -> None:
    camera = Liar(script(content_base=base))
    await plays(camera)
    assert [request.url for request in camera.requests if request.method == "SETUP"] == [
        "rtsp://192.0.2.7/stream/trackID=0"
    ]


async def test_a_content_base_that_the_camera_itself_does_not_know(autojump_clock: Clock) -> None:
    text = script(content_base="Content-Base: rtsp://192.0.2.7/elsewhere/\n")
    refusal = "> SETUP\nRTSP/1.0 404 Not Found\nCSeq: {cseq}\n\n"
    camera = Liar(text.replace("> SETUP\n", refusal + "> SETUP\n"))
    await plays(camera)
    assert [request.url for request in camera.requests if request.method in ("SETUP", "PLAY")] == [
        "rtsp://192.0.2.7/elsewhere/trackID=0",
        "rtsp://192.0.2.7/stream/trackID=0",
        "rtsp://192.0.2.7/stream",
    ]


@pytest.mark.parametrize(
    "session",
    [
        "Session: 12345678\n",
        "Session:        12345678;\n",
        "Session: 12345678;timeout=0\n",
        "Session: 12345678 ; timeout = 60\n",
        "session: 12345678;Timeout=soon\n",
    ],
    ids=["no timeout", "spaces", "a timeout of 0", "spaces around", "a timeout that is none"],
)
async def test_a_session_header(session: str, autojump_clock: Clock) -> None:
    camera = Liar(script(session=session), Film(fps=2, gop=4))
    await plays(camera, 70)
    kept = [request for request in camera.requests if request.method == "GET_PARAMETER"]
    assert [round(request.at_s) for request in kept] == [25, 50]
    assert {request.headers["session"] for request in kept} == {"12345678"}


async def test_a_session_id_that_changes(autojump_clock: Clock) -> None:
    camera = Liar(script().replace("Session: 12345678\n", "Session: 87654321\n"), Film(fps=2, gop=4))
    await plays(camera, 30)
    assert {request.headers.get("session") for request in camera.requests if request.method == "GET_PARAMETER"} == {
        "12345678"
    }


@pytest.mark.parametrize(
    "transport",
    [
        "Transport: RTP/AVP/TCP;unicast;interleaved=4-5;ssrc= d6d6627\n",
        "Transport: RTP/AVP/TCP;unicast;interleaved=7\n",
        "Transport: RTP/AVP;unicast;ssrc=nonsense;interleaved=0-1;mode=play\n",
        "Transport: RTP/AVP/TCP;unicast;destination=10.0.0.1;source=camera.local;interleaved=200-201\n",
    ],
    ids=["other channels", "one odd channel", "no TCP, an SSRC of words", "far channels"],
)
async def test_a_transport_header(transport: str, autojump_clock: Clock) -> None:
    await plays(Liar(script(transport=transport)))


async def test_a_transport_header_that_is_missing(autojump_clock: Clock) -> None:
    await plays(Liar(script(transport="")))


async def test_answers_without_reason_or_content_type_and_with_odd_headers(autojump_clock: Clock) -> None:
    text = script().replace("RTSP/1.0 200 OK", "RTSP/1.0 200").replace("Content-Type: application/sdp\n", "")
    text = text.replace("CSeq: {cseq}", "Cseq:   {cseq}\\x20\nServer: \\x01\\xe9/1.0 (?)\nno colon here")
    await plays(Liar(text))


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "501 Not Implemented"])
async def test_options_that_is_refused(status: str, autojump_clock: Clock) -> None:
    await plays(Liar(script(options=f"RTSP/1.0 {status}\nCSeq: {{cseq}}\nPublic")))


@pytest.mark.parametrize("info", ["", "RTP-Info: url=trackID=1;seq=0;rtptime=-1;\n", "RTP-Info: ,;;\n"])
async def test_rtp_info_is_not_believed(info: str, autojump_clock: Clock) -> None:
    lines = script().splitlines(keepends=True)
    await plays(Liar("".join(info if line.startswith("RTP-Info") else line for line in lines)))


SPOILT_SDP = """\
v=0
o=- 0x5f -1 c=IN
s=one\ts
s=two
c=IN c=IN IP4 0.0.0.0
t=now-
this is no line
a=range:npt=now-
m=application 0 RTP/AVP 107
a=rtpmap:107 vnd.onvif.metadata/90000
a=control:meta
m=metadata 0 RTP/AVP 98
m=application/TP-LINK 0 RTP/AVP smart/1/90000
a=control:tp
m=video 0 RTP/AVP 26
a=control:jpeg
m=audio 0 RTP/AVP 97
a=rtpmap:97 H264-of-no-video/0
a=fmtp:97
m=video\t0\tRTP/AVP\t96
a=rtpmap:96 H264/90000 \n\
a=fmtp:96 DecoderTag=h3c-v3 RTCP=0 profile-level-id=5046314 sprop-parameter-sets=!!!
a=control:trackID=0
b=AS:
"""


async def test_a_session_description_in_which_everything_is_wrong(autojump_clock: Clock) -> None:
    head, _, rest = script().partition("v=0\n")
    camera = Liar(head + SPOILT_SDP + rest[rest.index("> SETUP") :])
    await plays(camera)
    # What is no video is not set up: no metadata comes that nobody reads.
    assert camera.methods.count("SETUP") == 1
    assert camera.requests[2].url.endswith("/trackID=0")


async def test_another_payload_type_than_was_described(autojump_clock: Clock) -> None:
    def pack(nals: list[bytes]) -> list[Packet]:
        return [replace(packet, payload_type=99) for packet in one_by_one(nals)]

    async with shown(Liar(script(), Film(pack=pack, gop=10))) as show:
        await trio.sleep(3)
        # What came before it was sure is lost, up to a key frame.
        assert show.numbers[:40] == list(range(show.numbers[0], show.numbers[0] + 40))
        assert show.numbers[0] <= 20
        assert show.words == []


# Keepalives.


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "RTSP/1.0 400 Bad Request\r\nCSeq: 4\r\n\r\n",
        "RTSP/1.0 501 Not Implemented\r\nCSeq: {cseq}\r\n\r\n",
        "RTSP/1.0 451\r\n\r\n",
        "RTSP/1.0 200 OK\r\nCSeq: 99999\r\n\r\n",
    ],
    ids=["never answered", "400 with an old CSeq", "not implemented", "without CSeq", "with a wrong CSeq"],
)
async def test_a_keepalive(answer: str | None, autojump_clock: Clock) -> None:
    camera = Liar(script(session="Session: 12345678;timeout=15\n"), Film(fps=2, gop=4))
    camera.keepalive = answer
    await plays(camera, 59)
    assert len([request for request in camera.requests if request.method in ("OPTIONS", "GET_PARAMETER")]) == 1 + 7


async def test_a_camera_that_knows_no_get_parameter_gets_options(autojump_clock: Clock) -> None:
    camera = Liar(script(public="Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\n"), Film(fps=2, gop=4))
    await plays(camera, 60)
    assert camera.methods[4:-1] == ["OPTIONS", "OPTIONS"]


async def test_a_session_that_the_camera_has_forgotten_is_begun_anew(autojump_clock: Clock) -> None:
    camera = Liar(script(), Film(fps=2, gop=4))
    camera.keepalive = "RTSP/1.0 454 Session Not Found\r\nCSeq: {cseq}\r\n\r\n"
    async with shown(camera) as show:
        await trio.sleep(40)
        assert len(camera.dialled) == 2
        assert "454" in show.words[0]
        assert show.source.state is CameraState.LIVE
        show.assert_on_time()


# What else is in the stream.


async def test_pictures_and_reports_ahead_of_the_answer_to_play(autojump_clock: Clock) -> None:
    camera = Liar(script())
    camera.early = True
    async with shown(camera) as show:
        await trio.sleep(3)
        assert show.numbers[:70] == list(range(70))
        assert show.words == []


@pytest.mark.parametrize(
    "noise",
    [
        lambda number: b"\r\n",
        lambda number: b"$\x09\x00\x10" + bytes(16),
        lambda number: b"OPTIONS * RTSP/1.0\r\nCSeq: 7\r\n\r\n" if number % 20 == 0 else b"",
        lambda number: b"SET_PARAMETER rtsp://x RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\nabcd",
        lambda number: b"RTSP/1.0 200 OK\r\nCSeq: 0\r\n\r\n",
        lambda number: b"\x00garbage\xff$$" if number % 10 == 5 else b"",
    ],
    ids=["empty lines", "unknown channel", "OPTIONS", "SET_PARAMETER", "answers to nothing", "garbage"],
)
async def test_between_pictures(noise: Callable[[int], bytes], autojump_clock: Clock) -> None:
    camera = Liar(script())
    camera.noise = noise
    await plays(camera)


async def test_too_much_garbage_is_told_and_the_camera_dialled_anew(autojump_clock: Clock) -> None:
    camera = Liar(script())
    camera.noise = lambda number: b"\x00garbage" if number > 50 and number % 2 else b""
    async with shown(camera) as show:
        await trio.sleep(12)
        assert len(camera.dialled) > 1
        assert "the camera's stream is damaged" in show.words[0]


async def test_a_camera_that_ends_its_stream_by_rtcp_bye_is_dialled_anew(autojump_clock: Clock) -> None:
    bye = bytes.fromhex("81cb000100ca3e7a")
    camera = Liar(script(), Film(reports=lambda second: bye if second == 3 else None))
    async with shown(camera) as show:
        await trio.sleep(5)
        assert show.words == ["the camera has ended the stream (RTCP BYE)"]
        assert show.source.state is CameraState.LIVE
