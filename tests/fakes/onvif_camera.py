"""`FakeOnvif`: a scripted ONVIF camera that speaks HTTP, on loopback or on socket pairs in virtual time.

It checks logins as a camera does: the digest of WS-Security, that the nonce is new and the time near its own clock, or
HTTP Digest. It shares no code with camgate's own.
"""

import base64
import hashlib
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import h11
import trio

from camgate.ingest.errors import CameraAway

MAX_APART = timedelta(seconds=10)
"""ONVIF Core leaves it to the device how old a message may be; strict ones take a few seconds."""

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class FakeProfile:
    """One stream of the camera."""

    token: str
    url: str
    codec: str = "H264"
    width: int = 1920
    height: int = 1080
    source: str = "source0"


class FakeOnvif:
    """An ONVIF camera that tests spoil by setting its attributes.

    wants: `nothing`, `token` (WS-Security) or `digest` (HTTP Digest). clock: its time.
    named_host: what it calls itself in addresses; None for the Host header. versions: media services that it has.
    old: it has no GetServices. faults: subcode by operation. raw: answers by operation, instead of all else.
    away: why connects fail; None when they do not. rights: operations that this user may do; None for all.
    one_time_nonces: of HTTP Digest, as Axis has them.
    """

    def __init__(self, *profiles: FakeProfile, username: str = "viewer", password: str = "") -> None:
        self.profiles = profiles or (FakeProfile("main", "rtsp://{host}:554/main"),)
        self.username = username
        self.password = password
        self.wants = "token" if password else "nothing"
        self.clock: Callable[[], datetime] = lambda: NOW
        self.named_host: str | None = None
        self.versions: tuple[str, ...] = ("ver10", "ver20")
        self.old = False
        self.one_time_nonces = False
        self.faults: dict[str, str] = {}
        self.raw: dict[str, tuple[int, bytes]] = {}
        self.rights: set[str] | None = None
        self.away: str | None = None
        self.on_key_frame: Callable[[str], None] = lambda token: None
        self.operations: list[str] = []
        self.dialled: set[tuple[str, int]] = set()
        self.key_frames: list[str] = []
        self.proofs = 0
        self.refused_proofs = 0
        self.seen = b""
        self._nonces: set[str] = set()
        self._challenge = ""
        self._send, self._receive = trio.open_memory_channel[socket.socket](float("inf"))

    async def dial(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Connect in virtual time, as `camgate.ingest.dial.dial_tcp` does to real ones; `run` must run."""
        await trio.lowlevel.checkpoint()
        self.dialled.add((host, port))
        if self.away is not None:
            raise CameraAway(f"{host}:{port}", self.away)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._send.send_nowait(ours)
        return theirs

    async def run(self) -> None:
        """Serve what `dial` connected, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for connection in self._receive:
                nursery.start_soon(self.serve, trio.SocketStream(trio.socket.from_stdlib_socket(connection)))

    @asynccontextmanager
    async def on_loopback(self) -> AsyncIterator[str]:
        """Serve on a free port for the time of the block; gives HOST:PORT."""
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, self.serve, listeners)
            yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            nursery.cancel_scope.cancel()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Answer one request on a connection."""
        server = h11.Connection(h11.SERVER)
        async with stream:
            request, body = None, b""
            while True:
                event = server.next_event()
                if event is h11.NEED_DATA:
                    data = await stream.receive_some(65536)
                    self.seen += data
                    server.receive_data(data)
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    break
            if request is None:
                return
            status, headers, answer = self._answer(request, body)
            headers += [("Content-Length", str(len(answer))), ("Connection", "close")]
            parts = [h11.Response(status_code=status, headers=headers), h11.Data(data=answer), h11.EndOfMessage()]
            with suppress(trio.BrokenResourceError):
                await stream.send_all(b"".join(server.send(part) or b"" for part in parts))

    def _answer(self, request: h11.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        root = ElementTree.fromstring(body)
        operation = root.find("{*}Body")[0]  # type: ignore[index]
        namespace, _, name = operation.tag[1:].partition("}")
        self.operations.append(name)
        headers = {key.decode(): value.decode() for key, value in request.headers}
        if name in self.raw:
            status, answer = self.raw[name]
            return status, [], answer
        if name not in ("GetSystemDateAndTime", "GetServices", "GetCapabilities") and self.wants != "nothing":
            refusal = self._refusal(root, headers, request.target.decode())
            if refusal is None and self.rights is not None and name not in self.rights:
                refusal = 400, [], _fault("ter:NotAuthorized")
            if refusal is not None:
                return refusal
        if name in self.faults:
            return 500, [], _fault(self.faults[name])
        host = self.named_host or headers["host"]
        text = self._reply(name, namespace, operation, host)
        if text is None:
            return 500, [], _fault("ter:ActionNotSupported")
        return 200, [("Content-Type", "application/soap+xml")], _envelope(text)

    def _refusal(
        self, root: ElementTree.Element, headers: dict[str, str], target: str
    ) -> tuple[int, list[tuple[str, str]], bytes] | None:
        if self.wants == "token":
            token = root.find(".//{*}UsernameToken")
            if token is not None:
                self.proofs += 1
                if self._is_token_right(token):
                    return None
                self.refused_proofs += 1
            return 400, [], _fault("ter:NotAuthorized")
        if "authorization" in headers:
            self.proofs += 1
            if self._is_digest_right(headers["authorization"], target):
                return None
            self.refused_proofs += 1
        self._challenge = secrets.token_hex(8)
        challenge = f'Digest realm="cam", qop="auth", nonce="{self._challenge}", algorithm=MD5'
        return 401, [("WWW-Authenticate", 'Basic realm="cam"'), ("WWW-Authenticate", challenge)], b"<html>no</html>"

    def _is_token_right(self, token: ElementTree.Element) -> bool:
        username, given, nonce, created = (
            token.findtext(f"{{*}}{name}") or "" for name in ("Username", "Password", "Nonce", "Created")
        )
        apart = datetime.fromisoformat(created) - self.clock()
        proof = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self.password.encode()).digest()
        is_new = nonce not in self._nonces
        self._nonces.add(nonce)
        is_right = username == self.username and given == base64.b64encode(proof).decode()
        return is_right and is_new and abs(apart) <= MAX_APART

    def _is_digest_right(self, header: str, target: str) -> bool:
        items = {key: quoted or plain for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]*))', header)}
        ha1, ha2 = (_md5(text) for text in (f"{self.username}:cam:{self.password}", f"POST:{target}"))
        expected = _md5(f"{ha1}:{items['nonce']}:{items['nc']}:{items['cnonce']}:{items['qop']}:{ha2}")
        is_new = f"{items['nonce']}{items['nc']}" not in self._nonces
        is_new &= not self.one_time_nonces or int(items["nc"], 16) == 1
        self._nonces.add(f"{items['nonce']}{items['nc']}")
        return is_new and items["nonce"] == self._challenge and items["response"] == expected and items["uri"] == target

    def _reply(self, name: str, namespace: str, operation: ElementTree.Element, host: str) -> str | None:
        token = operation.findtext("{*}ProfileToken") or ""
        is_media2 = "ver20" in namespace
        if name == "GetSystemDateAndTime":
            now = self.clock()
            time = f"<Hour>{now.hour}</Hour><Minute>{now.minute}</Minute><Second>{now.second}</Second>"
            date = f"<Year>{now.year}</Year><Month>{now.month}</Month><Day>{now.day}</Day>"
            utc = f"<UTCDateTime><Time>{time}</Time><Date>{date}</Date></UTCDateTime>"
            return f"<{name}Response><SystemDateAndTime>{utc}</SystemDateAndTime></{name}Response>"
        if name == "GetServices" and not self.old:
            services = "".join(
                f"<Service><Namespace>http://www.onvif.org/{version}/media/wsdl</Namespace>"
                f"<XAddr>http://{host}/onvif/{version}</XAddr></Service>"
                for version in self.versions
            )
            return f"<GetServicesResponse>{services}</GetServicesResponse>"
        if name == "GetCapabilities":
            media = f"<Media><XAddr>http://{host}/onvif/ver10</XAddr></Media>" if "ver10" in self.versions else ""
            return f"<GetCapabilitiesResponse><Capabilities>{media}</Capabilities></GetCapabilitiesResponse>"
        if name == "GetProfiles":
            profiles = "".join(_profile(profile, is_media2=is_media2) for profile in self.profiles)
            return f"<GetProfilesResponse>{profiles}</GetProfilesResponse>"
        found = [profile for profile in self.profiles if profile.token == token]
        if name == "GetStreamUri" and found:
            url = found[0].url.replace("{host}", host.partition(":")[0]).replace("&", "&amp;")
            uri = f"<Uri>{url}</Uri>"
            return f"<GetStreamUriResponse>{uri if is_media2 else f'<MediaUri>{uri}</MediaUri>'}</GetStreamUriResponse>"
        if name == "SetSynchronizationPoint" and found:
            self.key_frames.append(token)
            self.on_key_frame(token)
            return "<SetSynchronizationPointResponse/>"
        return None


def _profile(profile: FakeProfile, *, is_media2: bool) -> str:
    # Media knows no H.265: cameras leave the encoder out there, or call it H264.
    codec = f"<Encoding>{profile.codec}</Encoding>" if is_media2 or profile.codec != "H265" else ""
    size = f"<Resolution><Width>{profile.width}</Width><Height>{profile.height}</Height></Resolution>"
    rate = "<RateControl><FrameRateLimit>25</FrameRateLimit><BitrateLimit>4096</BitrateLimit></RateControl>"
    source = f"<SourceToken>{profile.source}</SourceToken>"
    inner = (
        f"<VideoSourceConfiguration>{source}</VideoSourceConfiguration>"
        f"<VideoEncoderConfiguration>{codec}{size}{rate}</VideoEncoderConfiguration>"
    )
    if is_media2:
        inner = f"<VideoSource>{source}</VideoSource><VideoEncoder>{codec}{size}{rate}</VideoEncoder>"
        inner = f"<Configurations>{inner}</Configurations>"
    return f'<Profiles token="{profile.token}"><Name>{profile.token}Stream</Name>{inner}</Profiles>'


def _envelope(text: str) -> bytes:
    return (
        f'<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"><e:Body>{text}</e:Body></e:Envelope>'.encode()
    )


def _fault(subcode: str) -> bytes:
    code = f"<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>{subcode}</e:Value></e:Subcode></e:Code>"
    return _envelope(f"<e:Fault>{code}<e:Reason><e:Text>{subcode[4:]}</e:Text></e:Reason></e:Fault>")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
