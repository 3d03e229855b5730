"""A `Link` through an HTTP tunnel: one connection for what the camera sends, another one for what we send.

Both may be TLS. The answer to POST is not waited for: it comes with the end, if at all.
"""

import secrets
from contextlib import suppress

import trio

from camgate.config.model import CameraSettings
from camgate.ingest.errors import TunnelRefused
from camgate.ingest.link import Link
from camgate.wire.rtsp.auth import ClientLogin, parse_challenges_untrusted
from camgate.wire.rtsp.errors import AuthenticationFailed
from camgate.wire.rtsp.message import Response
from camgate.wire.rtsp.policies import ClientPolicies
from camgate.wire.rtsp.tunnel import build_tunnel_request, encode_tunnelled, split_tunnel_answer_untrusted
from camgate.wire.rtsp.url import RtspUrl

READ_BYTES = 64 * 1024


class TunnelLink:
    """A `Link` over two others. received: what came behind the head of the answer to GET."""

    def __init__(self, down: Link, up: Link, received: bytes) -> None:
        self._down = down
        self._up = up
        self._received = received
        self._unsent = b""

    def fileno(self) -> int:
        """Return the descriptor of what the camera sends on."""
        return self._down.fileno()

    def recv_into(self, buffer: memoryview, /) -> int:
        """Read what the camera sends; see `Link`."""
        self._flush()
        if self._received:
            size = len(self._received)
            buffer[:size] = self._received
            self._received = b""
            return size
        return self._down.recv_into(buffer)

    def send(self, data: bytes, /) -> int:
        """Encode and send; what the socket does not take goes out with the next read or send. See `Link`."""
        self._flush()
        if self._unsent:
            raise BlockingIOError
        self._unsent = encode_tunnelled(data)
        self._flush()
        return len(data)

    def shutdown(self, how: int, /) -> None:
        """End what we send."""
        self._flush()
        self._up.shutdown(how)

    def close(self) -> None:
        """Close both connections."""
        for link in (self._down, self._up):
            trio.lowlevel.notify_closing(link)
            link.close()

    def _flush(self) -> None:
        if self._unsent:
            with suppress(BlockingIOError):
                self._unsent = self._unsent[self._up.send(self._unsent) :]


class Tunneller:
    """Opens the tunnel to one camera: a GET, once more with the login where that is asked for, then a POST."""

    def __init__(self, settings: CameraSettings, url: RtspUrl) -> None:
        self._policies = ClientPolicies()
        self._url = url
        self._cookie = secrets.token_hex(11)
        self._login = ClientLogin(
            settings.username,
            settings.password,
            charset=self._policies.charset,
            make_cnonce=lambda: secrets.token_hex(16),
        )

    async def get(self, link: Link) -> bytes | None:
        """Ask for what the camera sends; return what has come of it, None to be asked again on another connection.

        Raises TunnelRefused, AuthenticationFailed, MalformedMessage, OSError.
        """
        request, is_refusal = self._request("GET")
        await send_all(link, request)
        answer, received = await _receive_answer(link)
        if answer.status == 401:
            self._take_challenges(answer, is_refusal=is_refusal)
            return None
        if not answer.is_success:
            raise TunnelRefused(answer.status, answer.reason)
        self._login.confirm()
        return received

    async def post(self, link: Link) -> None:
        """Begin what we send. Raises OSError."""
        await send_all(link, self._request("POST")[0])

    def _request(self, method: str) -> tuple[bytes, bool]:
        """Return the head of a request, and whether it carries a login."""
        path = self._url.path or "/"
        authorization = self._login.header(method, path)
        head = build_tunnel_request(
            method,
            path,
            self._url.authority,
            self._cookie,
            user_agent=self._policies.user_agent,
            authorization=authorization,
        )
        return head, authorization is not None

    def _take_challenges(self, answer: Response, *, is_refusal: bool) -> None:
        challenges = parse_challenges_untrusted(answer.headers.get_all("WWW-Authenticate"))
        problem = self._login.take_challenges(challenges, is_refusal=is_refusal)
        if problem is not None:
            raise AuthenticationFailed(problem, "GET", (challenge.scheme for challenge in challenges))


async def send_all(link: Link, data: bytes) -> None:
    """Send all of `data`, waiting where that is needed. Raises OSError."""
    while data:
        with suppress(BlockingIOError):
            data = data[link.send(data) :]
        if data:
            await trio.lowlevel.wait_writable(link)


async def _receive_answer(link: Link) -> tuple[Response, bytes]:
    received = b""
    buffer = memoryview(bytearray(READ_BYTES))
    while True:
        with suppress(BlockingIOError):
            size = link.recv_into(buffer)
            if not size:
                raise TunnelRefused(0, "")
            received += buffer[:size]
            split = split_tunnel_answer_untrusted(received)
            if split is not None:
                return split
        await trio.lowlevel.wait_readable(link)
