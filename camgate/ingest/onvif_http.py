"""`post`: one HTTP request to a camera's ONVIF service, on a connection of its own.

Redirects are not followed: a login would go along.
"""

from dataclasses import dataclass

import h11
import trio

from camgate.ingest.dial import Dial
from camgate.ingest.errors import CameraHungUp, CameraMute
from camgate.wire.onvif.address import ServiceAddress
from camgate.wire.onvif.errors import MalformedReply
from camgate.wire.onvif.xml import MAX_BYTES


@dataclass(frozen=True, slots=True)
class HttpReply:
    """status: of HTTP. challenges: the WWW-Authenticate headers, as they came."""

    status: int
    challenges: tuple[str, ...]
    body: bytes


async def post(
    dial: Dial, address: ServiceAddress, body: bytes, headers: dict[str, str], *, timeout_s: float
) -> HttpReply:
    """Send a POST and read its answer, both within `timeout_s` seconds.

    Raises CameraAway, CameraMute, CameraHungUp, MalformedReply.
    """
    with trio.move_on_after(timeout_s):
        connection = await dial(address.host, address.port, timeout_s)
        async with trio.SocketStream(trio.socket.from_stdlib_socket(connection)) as stream:
            try:
                return await _exchange(stream, address, body, headers)
            except trio.BrokenResourceError as error:
                raise CameraHungUp(f"{address.place} broke off an ONVIF request") from error
            except h11.RemoteProtocolError as error:
                raise MalformedReply("it is no whole HTTP answer") from error
    raise CameraMute(f"{address.place} is silent for {timeout_s:g} s", server="ONVIF server")


async def _exchange(
    stream: trio.SocketStream, address: ServiceAddress, body: bytes, headers: dict[str, str]
) -> HttpReply:
    client = h11.Connection(h11.CLIENT)
    own = {"Host": address.authority, "Content-Length": str(len(body)), "Connection": "close"}
    # In Latin-1, as h11 takes text for ASCII: user names in UTF-8 and what a camera calls its realm have other bytes.
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in (own | headers).items()]
    request = h11.Request(method="POST", target=address.path, headers=encoded)
    parts = (request, h11.Data(data=body), h11.EndOfMessage())
    await stream.send_all(b"".join(client.send(part) or b"" for part in parts))
    response: h11.Response | None = None
    received = bytearray()
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(await stream.receive_some(65536))
        elif isinstance(event, h11.Response):
            response = event
        elif isinstance(event, h11.Data):
            received += event.data
            if len(received) > MAX_BYTES:
                raise MalformedReply(f"it is longer than {MAX_BYTES >> 20} MiB")
        elif isinstance(event, h11.EndOfMessage):
            break
        elif not isinstance(event, h11.InformationalResponse):
            raise CameraHungUp(f"{address.place} hung up without an answer to an ONVIF request")
    assert response is not None
    challenges = [value.decode("latin-1") for name, value in response.headers if name == b"www-authenticate"]
    return HttpReply(response.status_code, tuple(challenges), bytes(received))
