"""Whatever a camera sends, the client and its parsers raise RtspRemoteError or nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtsp.auth import (
    ClientLogin,
    DigestCredentials,
    digest_response,
    parse_authorization_untrusted,
    parse_challenges_untrusted,
)
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.errors import MalformedMessage, MalformedUrl, NoUsableTrack, RtspRemoteError
from camgate.wire.rtsp.events import Described
from camgate.wire.rtsp.headers import parse_public_untrusted, parse_session_untrusted, parse_transports_untrusted
from camgate.wire.rtsp.interleaved import InterleavedReader, interleave
from camgate.wire.rtsp.message import Headers, Request, body_length_untrusted, encode_message, parse_head_untrusted
from camgate.wire.rtsp.policies import CredentialCharset
from camgate.wire.rtsp.track import (
    aggregate_url_untrusted,
    first_video_track,
    read_presentations_untrusted,
    read_tracks_untrusted,
)
from camgate.wire.rtsp.url import base_url_untrusted, join_control_untrusted, redact, split_url_untrusted
from camgate.wire.sdp.session import MalformedSdp, parse_sdp_untrusted
from tests.fakes.camera_script import FIXTURES, read_script
from tests.fuzz.mutate import spoiled
from tests.fuzz.reach import Reach

SCRIPTS = {path.stem: read_script(path.read_text()) for path in sorted(FIXTURES.glob("*.txt"))}
ANSWERS = [answer.replace("{cseq}", "1").encode("latin-1") for script in SCRIPTS.values() for _, answer in script]
DESCRIPTIONS = [answer.partition(b"\r\n\r\n")[2] for answer in ANSWERS if b"m=video" in answer]
OWN = split_url_untrusted("rtsp://10.0.0.5:8554/live")
FRAME = interleave(0, b"\x80\x60" + bytes(30))
REQUEST = b"OPTIONS rtsp://10.0.0.5/ RTSP/1.0\r\nCSeq: 3\r\n\r\n"
TOKENS = [
    FRAME,
    REQUEST,
    b"RTSP/1.0 401\r\n",
    b"Location: rtsp://10.0.0.7/x\r\n",
    b"Digest",
    b"stale=true",
    b"$\x00\xff\xff\x80",
]


def spoiled_text(*valid: str) -> st.SearchStrategy[str]:
    return st.sampled_from(valid).flatmap(lambda text: spoiled(text.encode())).map(lambda data: data.decode("latin-1"))


def test_streams() -> None:
    with Reach("interleaved stream") as reach:

        @given(st.lists(st.sampled_from([*ANSWERS, FRAME, REQUEST, b"\r\n"]), min_size=1, max_size=6), st.data())
        def fuzz(parts: list[bytes], data: st.DataObject) -> None:
            reader = InterleavedReader()
            reader.channels |= {0, 1}
            stream = data.draw(spoiled(b"".join(parts), TOKENS))
            cut = data.draw(st.integers(0, len(stream)))
            read = 0
            with suppress(RtspRemoteError):
                for piece in (stream[:cut], stream[cut:]):
                    reader.receive_data(piece)
                    while reader.next_message_untrusted(0.0) is not None:
                        read += 1
            assert reader.offset <= reader.bytes_received
            reach.seen(read + len(reader.take_packets()) > 0)

        fuzz()


class SpoiledCamera:
    """Answers each method with what a vendor's script has for it, the last answer for ever, some of them spoiled."""

    def __init__(self, script: list[tuple[str, str]], data: st.DataObject) -> None:
        self.answers: dict[str, list[str]] = {}
        for method, answer in script:
            self.answers.setdefault(method, []).append(answer)
        self.data = data

    def answer(self, sent: bytes) -> bytes:
        assert sent.endswith(b"\r\n\r\n")
        out = b""
        for text in sent.decode("latin-1").split("\r\n\r\n")[:-1]:
            if text.startswith("RTSP/1.0 200 OK"):
                continue
            method, _, rest = text.partition(" ")
            cseq = rest.partition("CSeq: ")[2].partition("\r\n")[0]
            answers = self.answers.get(method, ["RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n\r\n"])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            valid = answer.replace("{cseq}", cseq).encode("latin-1")
            out += self.data.draw(spoiled(valid, TOKENS)) if self.data.draw(st.booleans()) else valid
        return out


def converse(client: RtspClient, camera: SpoiledCamera) -> None:
    client.start(0.0)
    for turn in range(20):
        now = 30.0 * turn
        sent = client.data_to_send()
        assert b"pa55w0rd" not in sent
        if sent:
            client.receive_data(camera.answer(sent), now)
        else:
            client.handle_deadline(now)
        for event in client.events():
            assert "pa55w0rd" not in str(event)
            if isinstance(event, Described):
                with suppress(NoUsableTrack):
                    client.play([first_video_track(event.tracks)], now)
        client.take_packets()


def test_whole_conversations() -> None:
    with Reach("rtsp client") as reach:

        @given(st.sampled_from(sorted(SCRIPTS)), st.data())
        def fuzz(name: str, data: st.DataObject) -> None:
            client = RtspClient("rtsp://admin:pa55w0rd@10.0.0.5/live", make_cnonce=lambda: "c0ffee")
            words = ""
            try:
                converse(client, SpoiledCamera(SCRIPTS[name], data))
            except RtspRemoteError as error:
                words = str(error)
            client.teardown(1000.0)
            assert b"pa55w0rd" not in client.data_to_send()
            assert "pa55w0rd" not in words
            assert client.statistics().state == "CLOSED"
            reach.seen(client.statistics().responses_received > 1)

        fuzz()


def test_heads() -> None:
    with Reach("rtsp message head") as reach:

        @given(st.sampled_from(ANSWERS).flatmap(lambda answer: spoiled(answer.partition(b"\r\n\r\n")[0])))
        def fuzz(head: bytes) -> None:
            try:
                message = parse_head_untrusted(head)
            except MalformedMessage:
                reach.seen(False)
                return
            with suppress(MalformedMessage):
                assert body_length_untrusted(message.headers) >= 0
            # What came in can go out: no header of a camera breaks out of its line.
            encode_message(message)
            reach.seen(True)

        fuzz()


CHALLENGE = (
    'Digest realm="r", nonce="n", qop="auth, auth-int", algorithm=SHA-256-sess, opaque="", stale=TRUE, Basic realm="r"'
)


def test_challenges() -> None:
    with Reach("rtsp challenges") as reach:

        @given(spoiled_text(CHALLENGE))
        def fuzz(value: str) -> None:
            head = f"RTSP/1.0 401 Unauthorized\nWWW-Authenticate: {value}".encode("latin-1")
            challenges = parse_challenges_untrusted(parse_head_untrusted(head).headers.get_all("WWW-Authenticate"))
            login = ClientLogin("admin", "x", charset=CredentialCharset.UTF_8, make_cnonce=lambda: "c")
            is_usable = login.take_challenges(challenges, is_refusal=False) is None
            header = login.header("PLAY", str(OWN))
            assert (header is not None) == is_usable
            if header is not None:
                encode_message(Request("PLAY", str(OWN), Headers([("Authorization", header)])))
            reach.seen(is_usable)

        fuzz()


def test_authorization() -> None:
    valid = str(
        DigestCredentials(username="u", realm="r", nonce="n", uri="*", response="0", algorithm="MD5", qop="auth")
    )
    with Reach("rtsp authorization") as reach:

        @given(st.booleans(), spoiled_text(valid, "Basic YWRtaW46czNjcmV0"))
        def fuzz(has_scheme: bool, value: str) -> None:
            credentials = parse_authorization_untrusted(f"Digest {value}" if has_scheme else value)
            if isinstance(credentials, DigestCredentials):
                digest_response(credentials, method="PLAY", password="x")
            reach.seen(credentials is not None)

        fuzz()


def test_headers() -> None:
    with Reach("rtsp headers") as reach:

        @given(
            spoiled_text("708345999 ;timeout=60"),
            spoiled_text("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc= d6d6627;server_port=1-2;source=x,RTP/AVP"),
        )
        def fuzz(session: str, transport: str) -> None:
            parsed = parse_session_untrusted(session)
            assert parsed is None or 1.0 <= parsed.timeout_s <= 86400.0
            transports = parse_transports_untrusted(transport)
            for each in transports:
                str(each)
            parse_public_untrusted([transport])
            reach.seen(parsed is not None and any(each.interleaved for each in transports))

        fuzz()


URLS = [
    "rtsp://admin:pa55w0rd@10.0.0.5:554/live?x=1",
    "rtsps://u:p@[2001:db8::1]/user=a_password=b_channel=1",
    "rtsp://h/a@b",
]


def test_urls() -> None:
    with Reach("rtsp url") as reach:

        @given(st.booleans(), spoiled_text(*URLS))
        def fuzz(has_scheme: bool, text: str) -> None:
            text = f"rtsp://{text}" if has_scheme else text
            redact(text)
            for url in (base_url_untrusted([text, text], OWN), join_control_untrusted(str(OWN), text, OWN)):
                assert url.startswith("rtsp://10.0.0.5:8554")
                assert url.isascii()
                assert url.isprintable()
            try:
                parts = split_url_untrusted(text)
            except MalformedUrl:
                reach.seen(False)
                return
            # Cleaned once is cleaned for good.
            assert str(split_url_untrusted(str(parts))) == str(parts)
            reach.seen(True)

        fuzz()


def test_tracks() -> None:
    with Reach("rtsp tracks") as reach:

        @given(st.sampled_from(DESCRIPTIONS).flatmap(spoiled))
        def fuzz(sdp: bytes) -> None:
            try:
                description = parse_sdp_untrusted(sdp)
            except MalformedSdp:
                reach.seen(False)
                return
            assert aggregate_url_untrusted(description, str(OWN), OWN).startswith("rtsp://10.0.0.5:8554")
            tracks = read_tracks_untrusted(description, str(OWN), OWN)
            assert all(track.clock_rate > 0 for track in tracks)
            bases = [description.line("s"), description.line("i")]
            assert all(
                len(seen.tracks) == len(tracks) for seen in read_presentations_untrusted(description, bases, OWN)
            )
            reach.seen(len(tracks) > 0)

        fuzz()


@pytest.mark.parametrize("length", ["", "0", "00012", "99999999999", "1e3", "\x00"])
def test_body_lengths_are_numbers_or_malformed(length: str) -> None:
    with suppress(MalformedMessage):
        assert body_length_untrusted(Headers([("Content-Length", length)])) >= 0
