"""`play_camera`: from a TCP connection to a session, and on to wherever the camera sends us."""

import socket
from contextlib import suppress
from typing import Never

from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.config.model import CameraSettings, Transport
from camgate.ingest.errors import CameraAway, CameraMoved, CertificateRefused
from camgate.ingest.intake import Intake
from camgate.ingest.link import Link
from camgate.ingest.session import Session, SessionSink
from camgate.ingest.tls import look_at_certificate, open_tls
from camgate.ingest.transports import Transports, is_refusal
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.policies import ClientPolicies
from camgate.wire.rtsp.url import RtspUrl, split_url_untrusted, without_srtp

log = get_logger("ingest.play")

MAX_REDIRECTS = 3


async def play_camera(
    settings: CameraSettings,
    connection: socket.socket,
    sink: SessionSink,
    intake: Intake,
    transports: Transports | None = None,
) -> Never:
    """Play the camera at the other end of `connection`, and wherever it redirects to, until that ends.

    transports: what is known of this camera from earlier tries.
    Takes over the connection. Ends by an error of the RemoteError family, or of our own.
    """
    transports = transports or Transports(settings.transport)
    transports.begin()
    url = split_url_untrusted(settings.url)
    hops = 0
    while True:
        try:
            await _play_once(settings, _without_srtp(settings, url), connection, sink, intake, transports.current)
        except CameraMoved as moved:
            hops += 1
            if hops > MAX_REDIRECTS:
                raise
            url = split_url_untrusted(moved.url)
            log.info("camera redirects", camera=settings.name, address=place(url.host, url.port))
        except RemoteError as error:
            if not is_refusal(error):
                raise
            transports.refuse(error, is_protected=url.scheme == "rtsps")
            log.info(
                "camera is asked for another transport",
                camera=settings.name,
                transport=transports.current.value,
                reason=str(error),
            )
        connection = await intake.dial(url.host, url.port, settings.connect_timeout_s)


async def _play_once(
    settings: CameraSettings,
    url: RtspUrl,
    connection: socket.socket,
    sink: SessionSink,
    intake: Intake,
    transport: Transport,
) -> Never:
    # TLS protects what is in the connection, and nothing beside it.
    uses_udp = transport is Transport.UDP and url.scheme != "rtsps"
    udp = intake.open_udp(connection) if uses_udp else None
    link = await _open_link(settings, url, connection, intake)
    policies = ClientPolicies(response_timeout_s=settings.connect_timeout_s)
    client = RtspClient(str(url), username=settings.username, password=settings.password, policies=policies)
    session = Session(
        link,
        client,
        sink,
        arrivals=intake.arrivals,
        stall_timeout_s=settings.stall_timeout_s,
        with_audio=settings.audio,
        udp=udp,
    )
    await session.run()


async def _open_link(settings: CameraSettings, url: RtspUrl, connection: socket.socket, intake: Intake) -> Link:
    """Make a link of a connection, which is closed where that fails."""
    if url.scheme != "rtsps":
        return connection
    try:
        return await open_tls(connection, url.host, settings)
    except CertificateRefused as refused:
        if refused.shown is not None:
            raise
        # OpenSSL shows no certificate that it has refused: it takes another connection to tell whose it is.
        shown = None
        with suppress(CameraAway):
            connection = await intake.dial(url.host, url.port, settings.connect_timeout_s)
            shown = await look_at_certificate(connection, url.host, settings.connect_timeout_s)
        raise CertificateRefused(refused.reason, shown) from refused


def _without_srtp(settings: CameraSettings, url: RtspUrl) -> RtspUrl:
    plain = without_srtp(url)
    if plain is not url:
        log.info("enableSrtp is left out of the camera's URL: TLS protects its media", camera=settings.name)
    return plain
