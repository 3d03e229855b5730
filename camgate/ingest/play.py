"""`play_camera`: from a TCP connection to a session, and on to wherever the camera sends us."""

import socket
from typing import Never

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.config.model import CameraSettings
from camgate.ingest.arrivals import Arrivals
from camgate.ingest.errors import CameraMoved, UnsupportedScheme
from camgate.ingest.intake import Intake
from camgate.ingest.session import Session, SessionSink
from camgate.wire.rtsp.client import RtspClient
from camgate.wire.rtsp.policies import ClientPolicies
from camgate.wire.rtsp.url import RtspUrl, split_url_untrusted

log = get_logger("ingest.play")

MAX_REDIRECTS = 3


async def play_camera(settings: CameraSettings, connection: socket.socket, sink: SessionSink, intake: Intake) -> Never:
    """Play the camera at the other end of `connection`, and wherever it redirects to, until that ends.

    Takes over the connection. Ends by an error of the RemoteError family, or of our own.
    """
    url = split_url_untrusted(settings.url)
    for _ in range(MAX_REDIRECTS):
        try:
            await _open_session(settings, url, connection, sink, intake.arrivals).run()
        except CameraMoved as moved:
            url = split_url_untrusted(moved.url)
            if url.scheme != "rtsp":
                raise UnsupportedScheme(url.scheme) from moved
            log.info("camera redirects", camera=settings.name, address=place(url.host, url.port))
            connection = await intake.dial(url.host, url.port, settings.connect_timeout_s)
    await _open_session(settings, url, connection, sink, intake.arrivals).run()


def _open_session(
    settings: CameraSettings, url: RtspUrl, connection: socket.socket, sink: SessionSink, arrivals: Arrivals
) -> Session:
    policies = ClientPolicies(response_timeout_s=settings.connect_timeout_s)
    client = RtspClient(str(url), username=settings.username, password=settings.password, policies=policies)
    return Session(connection, client, sink, arrivals=arrivals, stall_timeout_s=settings.stall_timeout_s)
