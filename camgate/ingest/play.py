"""`play_camera`: from a TCP connection to a session, and on to wherever the camera sends us."""

import socket
from typing import Never

import trio

from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.config.model import CameraSettings, Transport
from camgate.ingest.errors import CameraHungUp, CameraMoved
from camgate.ingest.intake import Intake
from camgate.ingest.links import LinkOpener, port_of, way_of
from camgate.ingest.session import Session, SessionSink
from camgate.ingest.transports import Transports, is_refusal
from camgate.ingest.udp import UdpMedia
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.policies import ClientPolicies
from camgate.wire.rtsp.url import RtspUrl, split_url_untrusted, without_srtp

log = get_logger("ingest.play")

MAX_REDIRECTS = 3

TURN_S = 0.5
"""Before the other transport is asked for: gst-rtsp-server answers 503 while it puts away what it had made ready."""


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
            await trio.sleep(TURN_S)
        connection = await intake.dial(url.host, port_of(url, settings.transport), settings.connect_timeout_s)


async def _play_once(
    settings: CameraSettings,
    url: RtspUrl,
    connection: socket.socket,
    sink: SessionSink,
    intake: Intake,
    transport: Transport,
) -> Never:
    udp = _open_udp(url, connection, intake) if transport is Transport.UDP else None
    link = await LinkOpener(settings, url, transport, intake).open(connection)
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
        transport="udp" if udp is not None else way_of(url, transport),
    )
    await session.run()


def _open_udp(url: RtspUrl, connection: socket.socket, intake: Intake) -> UdpMedia | None:
    if url.scheme == "rtsps":
        # TLS protects what is in the connection, and nothing beside it.
        return None
    try:
        return intake.open_udp(connection)
    except OSError as error:
        connection.close()
        raise CameraHungUp(f"the connection to the camera broke: {error.strerror}") from error


def _without_srtp(settings: CameraSettings, url: RtspUrl) -> RtspUrl:
    plain = without_srtp(url)
    if plain is not url:
        log.info("enableSrtp is left out of the camera's URL: TLS protects its media", camera=settings.name)
    return plain
