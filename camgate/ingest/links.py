"""From a TCP connection to the `Link` that a session talks over: the connection itself, TLS on it, an HTTP tunnel."""

import socket
from contextlib import suppress

import trio

from camgate.config.model import CameraSettings, Transport
from camgate.ingest.errors import CameraAway, CameraHungUp, CameraMute, CertificateRefused
from camgate.ingest.intake import Intake
from camgate.ingest.link import Link
from camgate.ingest.tls import look_at_certificate, open_tls
from camgate.ingest.tunnel import Tunneller, TunnelLink
from camgate.wire.rtsp.errors import AuthenticationFailed, AuthenticationProblem
from camgate.wire.rtsp.url import RtspUrl

HTTP_PORTS = {"rtsp": 80, "rtsps": 443}
"""Of a tunnel, where the URL names no port."""


def port_of(url: RtspUrl, transport: Transport) -> int:
    """Return the TCP port to dial."""
    if transport is Transport.HTTP and not url.authority.endswith(f":{url.port}"):
        return HTTP_PORTS[url.scheme]
    return url.port


def way_of(url: RtspUrl, transport: Transport) -> str:
    """Return what people call the link: `tcp`, `tls`, `http` or `https`."""
    plain, protected = ("http", "https") if transport is Transport.HTTP else ("tcp", "tls")
    return protected if url.scheme == "rtsps" else plain


class LinkOpener:
    """Opens the link to one place, as the settings say."""

    def __init__(self, settings: CameraSettings, url: RtspUrl, transport: Transport, intake: Intake) -> None:
        self._settings = settings
        self._url = url
        self._port = port_of(url, transport)
        self._is_tunnel = transport is Transport.HTTP
        self._intake = intake

    async def open(self, connection: socket.socket) -> Link:
        """Make a link of a connection, which is closed where that fails.

        Raises CertificateRefused, TlsFailed, TunnelRefused and others of the RemoteError family.
        """
        link = await self._protect(connection)
        if not self._is_tunnel:
            return link
        links = [link]
        try:
            with trio.move_on_after(self._settings.connect_timeout_s):
                return await self._tunnel(links)
            raise CameraMute(f"no answer to the HTTP tunnel within {self._settings.connect_timeout_s:g} s")
        except BaseException as error:
            for each in links:
                each.close()
            if isinstance(error, OSError):
                raise CameraHungUp(f"the HTTP tunnel to the camera broke: {error.strerror}") from error
            raise

    async def _tunnel(self, links: list[Link]) -> Link:
        """Open a tunnel over the one link of `links`, to which goes every link that is opened more."""
        tunneller = Tunneller(self._settings, self._url)
        received = await tunneller.get(links[0])
        if received is None:
            # Whether the camera would take another request on the connection of a 401, nobody knows.
            links.pop().close()
            links.append(await self._dial())
            received = await tunneller.get(links[0])
        if received is None:
            raise AuthenticationFailed(AuthenticationProblem.REFUSED, "GET")
        links.append(await self._dial())
        await tunneller.post(links[1])
        return TunnelLink(links[0], links[1], received)

    async def _dial(self) -> Link:
        timeout_s = self._settings.connect_timeout_s
        return await self._protect(await self._intake.dial(self._url.host, self._port, timeout_s))

    async def _protect(self, connection: socket.socket) -> Link:
        if self._url.scheme != "rtsps":
            return connection
        try:
            return await open_tls(connection, self._url.host, self._settings)
        except CertificateRefused as refused:
            if refused.shown is not None:
                raise
            raise CertificateRefused(refused.reason, await self._look_at_certificate()) from refused

    async def _look_at_certificate(self) -> str | None:
        # OpenSSL shows no certificate that it has refused: it takes another connection to tell whose it is.
        timeout_s = self._settings.connect_timeout_s
        with suppress(CameraAway):
            connection = await self._intake.dial(self._url.host, self._port, timeout_s)
            return await look_at_certificate(connection, self._url.host, timeout_s)
        return None
