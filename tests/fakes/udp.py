"""`FakeUdp`: how a `FakeCamera` sends media over UDP: real sockets of this machine, the way to the client impaired.

A loopback datagram is there when `sendto` returns, so that virtual time stands still until it has been read.
"""

import socket
from contextlib import suppress

from camgate.ingest.udp import UdpMedia
from tests.fakes.network import Cable, Impairment, Link


class FakeUdp:
    """The camera's ports, two for each track that is set up.

    answer: the Transport header of answers to SETUP; {client} and {server} become pairs of ports.
    is_silent: a firewall takes what it sends.
    """

    def __init__(self, impairment: Impairment | None = None, *, seed: int = 1, host: str = "127.0.0.1") -> None:
        self.cable = Cable(Link(impairment or Impairment(delay_s=0.0), seed))
        self.host = host
        self.answer = "RTP/AVP;unicast;client_port={client};server_port={server}"
        self.is_silent = False
        self.sockets: list[socket.socket] = []
        self.clients: list[int] = []

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    def open_udp(self, _connection: socket.socket) -> UdpMedia:
        """Open the client's side, as `Intake` does beside a TCP connection."""
        return UdpMedia(self.family, (self.host, 0), (self.host, 554))

    def begin(self) -> None:
        """Forget the tracks of the connection before."""
        self.close()
        self.sockets, self.clients = [], []

    def set_up(self, asked: str) -> tuple[str, int]:
        """Open the ports of one more track; return the Transport header of the answer, and the track's RTP channel."""
        channel = len(self.clients)
        ports = asked.rpartition("=")[2]
        self.clients += map(int, ports.split("-"))
        for _ in range(2):
            port = socket.socket(self.family, socket.SOCK_DGRAM)
            port.setblocking(False)
            port.bind((self.host, 0))
            self.sockets.append(port)
        server = "-".join(str(port.getsockname()[1]) for port in self.sockets[channel:])
        return self.answer.format(client=ports, server=server), channel

    def send(self, channel: int, packet: bytes) -> None:
        """Send a packet of a track: RTP on its even channel, RTCP on the odd one."""
        if not self.is_silent:
            self.cable.send(bytes((channel,)) + packet)

    async def run(self) -> None:
        """Deliver what was sent, until cancelled."""
        await self.cable.run(self._deliver)

    def receive(self) -> list[tuple[int, bytes]]:
        """Return what has come from the client since the last time: (channel, packet)."""
        got: list[tuple[int, bytes]] = []
        for channel, port in enumerate(self.sockets):
            with suppress(BlockingIOError):
                while True:
                    got.append((channel, port.recv(65_536)))
        return got

    def forge(self, packet: bytes, *, source: str) -> None:
        """Send a packet to the client's first port from another address of this machine."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as attacker:
            attacker.bind((source, 0))
            attacker.sendto(packet, (self.host, self.clients[0]))

    def close(self) -> None:
        for port in self.sockets:
            port.close()

    def _deliver(self, data: bytes) -> None:
        channel = data[0]
        if channel < len(self.clients):
            self.sockets[channel].sendto(data[1:], (self.host, self.clients[channel]))


def split_interleaved(data: bytes) -> list[tuple[int, bytes]]:
    """Return the packets of interleaved frames."""
    packets = []
    while data:
        end = 4 + int.from_bytes(data[2:4], "big")
        packets.append((data[1], data[4:end]))
        data = data[end:]
    return packets
