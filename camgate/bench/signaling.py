"""WHEP from the viewer's side: the offer of somebody who wants H.264 video, the request, what the answer says."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO

from camgate.base.errors import RemoteError

MAX_ANSWER_BYTES = 8 << 20
"""What a server says of its cameras takes about 700 bytes a camera."""
HTTP_TIMEOUT_S = 15.0
_PROBLEM_CHARACTERS = 200

_PROFILES = {106: "42e01f", 107: "4d001f", 108: "64001f", 109: "42001f"}
"""Payload types and their profile-level-ids: Constrained Baseline, Main, High, Baseline, as browsers offer them."""

_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}\Z")  # RFC 8839 section 5.4
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}\Z")
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}\Z")
_IPV4 = re.compile(r"\d{1,3}(\.\d{1,3}){3}\Z")


class SignalingFailed(RemoteError):
    """The server refused, did not answer, or answered what a viewer cannot use."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"WHEP failed: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What stands in an offer about the viewer."""

    ufrag: str
    pwd: str
    fingerprint: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What stands in an answer about the server. `candidates`: IPv4 UDP host addresses, in the answer's order."""

    ufrag: str
    pwd: str
    fingerprints: tuple[tuple[str, str], ...]
    candidates: tuple[tuple[str, int], ...]


def build_offer(access: Access) -> str:
    """Write an offer (RFC 8829) to receive one video, with the viewer as DTLS client."""
    formats = " ".join(map(str, _PROFILES))
    lines = [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        f"m=video 9 UDP/TLS/RTP/SAVPF {formats}",
        "c=IN IP4 0.0.0.0",
        "a=mid:0",
        f"a=ice-ufrag:{access.ufrag}",
        f"a=ice-pwd:{access.pwd}",
        f"a=fingerprint:sha-256 {access.fingerprint}",
        "a=setup:active",
        "a=rtcp-mux",
        "a=recvonly",
    ]
    for number, profile in _PROFILES.items():
        lines += [
            f"a=rtpmap:{number} H264/90000",
            f"a=fmtp:{number} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}",
            f"a=rtcp-fb:{number} nack",
            f"a=rtcp-fb:{number} nack pli",
        ]
    lines.append(f"a=candidate:1 1 udp 2130706431 {access.address} {access.port} typ host")
    lines.append("a=end-of-candidates")
    return "\r\n".join(lines) + "\r\n"


def parse_answer_untrusted(text: str) -> Server:
    """Read an answer. Raises SignalingFailed."""
    attributes = [tuple(line[2:].partition(":")[::2]) for line in text.splitlines() if line.startswith("a=")]

    def values(name: str) -> list[str]:
        return [value.strip() for key, value in attributes if key == name]

    def value(name: str, pattern: re.Pattern[str]) -> str:
        found = next(iter(values(name)), "")
        if not pattern.match(found):
            raise SignalingFailed(f"no usable a={name} in the answer")
        return found

    # RFC 5763 section 5: who offers active must be answered passive.
    if "passive" not in values("setup"):
        raise SignalingFailed("the answer does not say a=setup:passive")
    server = Server(
        ufrag=value("ice-ufrag", _UFRAG),
        pwd=value("ice-pwd", _PASSWORD),
        fingerprints=tuple(_fingerprints(values("fingerprint"))),
        candidates=tuple(dict.fromkeys(_candidates(values("candidate")))),
    )
    if not server.fingerprints:
        raise SignalingFailed("no usable a=fingerprint in the answer")
    if not server.candidates:
        raise SignalingFailed("no UDP candidate with an IPv4 address in the answer")
    return server


def _fingerprints(values: list[str]) -> Iterator[tuple[str, str]]:
    for value in values:
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() in ("sha-256", "sha-384", "sha-512") and _FINGERPRINT.match(digest.strip()):
            yield algorithm.lower(), digest.strip().upper()


def _candidates(values: list[str]) -> Iterator[tuple[str, int]]:
    # RFC 8839 section 5.1: foundation, component, transport, priority, address, port, "typ", type.
    for fields in map(str.split, values):
        if len(fields) >= 8 and fields[1] == "1" and fields[2].lower() == "udp" and _IPV4.match(fields[4]):
            port = fields[5]
            if port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536:
                yield fields[4], int(port)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A WHEP server that sends us elsewhere is not the one to be measured."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


def request(url: str, *, body: bytes | None = None, authorization: str | None = None) -> bytes:
    """GET, or with an SDP `body` POST, and return the answer's body. Blocks: call it in a thread.

    Raises SignalingFailed, with what a server that refuses said.
    """
    headers = {} if body is None else {"Content-Type": "application/sdp"}
    if authorization:
        headers["Authorization"] = authorization
    try:
        with _opener.open(urllib.request.Request(url, body, headers), timeout=HTTP_TIMEOUT_S) as response:  # noqa: S310 (the operator's own URL)
            content: bytes = response.read(MAX_ANSWER_BYTES)
            return content
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            said = error.read(_PROBLEM_CHARACTERS).decode(errors="replace")
        raise SignalingFailed(f"{error.code} {error.reason}: {said}") from error
    except (OSError, HTTPException) as error:
        raise SignalingFailed(str(error)) from error
