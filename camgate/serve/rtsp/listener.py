"""Accepts RTSP clients; each connection is a task of its own."""

import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import partial

import trio

from camgate.base.budget import Budget
from camgate.base.log import get_logger
from camgate.base.network import network_of
from camgate.base.place import place
from camgate.serve.listeners import PatientListener
from camgate.serve.rtsp.connection import Connection, UdpSide
from camgate.serve.rtsp.guests import Guest
from camgate.serve.rtsp.service import RtspService
from camgate.serve.rtsp.udp import UdpPorts
from camgate.wire.rtsp.server import RtspServer, ServerPolicies

HANDSHAKE_S = 10.0
"""For TLS: some round trips."""

UNSENT_BYTES = 128 * 1024
"""What waits in the kernel for a client beyond what is on its way to it (TCP_NOTSENT_LOWAT): what is behind it can be
dropped, what is in there cannot."""

UdpByFamily = Mapping[int, UdpPorts]
"""The UDP ports beside each listener, by address family."""

log = get_logger("serve.rtsp")


class PacedListener(trio.abc.Listener[trio.SocketStream]):
    """Accepts no faster than so many connections a second."""

    def __init__(self, listener: trio.SocketListener, per_s: float) -> None:
        self._listener = PatientListener(listener)
        self._pace = Budget(per_s, per_s)

    async def accept(self) -> trio.SocketStream:
        """Accept the next connection, when its time has come."""
        await trio.sleep(self._pace.spend(trio.current_time()))
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Stop listening."""
        await self._listener.aclose()


async def serve_rtsp(
    listeners: Sequence[trio.SocketListener],
    service: RtspService,
    *,
    udp: UdpByFamily | None = None,
    task_status: trio.TaskStatus[list[PacedListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; the listeners are closed then, and clients that play get an RTCP BYE.

    udp: bound pairs for the families of the listeners, closed by whoever opened them; None where UDP is not served.
    """
    udp = udp or {}
    async with trio.open_nursery() as nursery:
        for ports in udp.values():
            nursery.start_soon(ports.read_reports)
        paced = [PacedListener(listener, service.max_connections_per_s) for listener in listeners]
        await trio.serve_listeners(partial(_serve_client, service, udp), paced, task_status=task_status)


def open_udp(listeners: Sequence[trio.SocketListener], *, port: int) -> dict[int, UdpPorts]:
    """Bind a pair of UDP ports beside each listener: `port` and the one above, any where it is 0. Raises OSError."""
    opened: dict[int, UdpPorts] = {}
    try:
        for listener in listeners:
            host = listener.socket.getsockname()[0]
            opened[int(listener.socket.family)] = UdpPorts.bind(listener.socket.family, host, port)
    except OSError:
        for ports in opened.values():
            ports.close()
        raise
    return opened


async def _serve_client(service: RtspService, udp: UdpByFamily, accepted: trio.SocketStream) -> None:
    # Trio shows nobody its sockets, and its way to send costs half of what a frame costs (docs/design/restream.md).
    raw = socket.socket(fileno=accepted.socket.detach())
    async with trio.SocketStream(trio.socket.from_stdlib_socket(raw)) as stream:
        try:
            host, port, *_ = stream.socket.getpeername()
            local = stream.socket.getsockname()[0]
        except OSError:
            return
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        guest = Guest(network_of(host), place(host, port), host=host)
        ports = udp.get(int(stream.socket.family))
        side = None if ports is None else UdpSide(ports, host, local)
        # Under TLS the password may come as it is, for clients that know no Digest.
        policies = ServerPolicies(
            udp_ports=None if ports is None else ports.numbers,
            offers_basic=service.tls is not None,
            offers_digest=service.admit_login is None,
        )
        server = RtspServer(trio.current_time(), access=service.access, policies=policies)
        try:
            with service.guests.enter(guest), guest.scope:
                if service.tls is None:
                    send_now = partial(_send_now, raw)
                    await Connection(stream, server, service, guest, udp=side, send_now=send_now).run()
                else:
                    await _serve_encrypted(stream, server, service, guest, service.tls)
        except Exception:
            # A bug that one client meets must not end the others.
            log.exception("RTSP connection failed", address=guest.place)


async def _serve_encrypted(
    stream: trio.SocketStream, server: RtspServer, service: RtspService, guest: Guest, tls: ssl.SSLContext
) -> None:
    encrypted = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
    try:
        with trio.fail_after(HANDSHAKE_S):
            await encrypted.do_handshake()
    except (trio.BrokenResourceError, trio.TooSlowError) as error:
        reason = str(error.__cause__ or error) or f"it took more than {HANDSHAKE_S:g} s"
        log.info("RTSPS handshake failed", address=guest.place, reason=reason)
        return
    async with encrypted:
        await Connection(encrypted, server, service, guest).run()


def _send_now(raw: socket.socket, data: bytes | bytearray) -> int:
    try:
        return raw.send(data)
    except BlockingIOError:
        return 0
    except OSError as error:
        raise trio.BrokenResourceError("the client's connection is broken") from error
