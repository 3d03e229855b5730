"""Cameras that answer WS-Discovery on loopback, by multicast; they share no code with camgate's own reader."""

import socket
from collections.abc import Callable
from xml.etree import ElementTree

import trio

GROUP = "239.255.255.250"
LOOPBACK = "127.0.0.1"
_ID = ".//{http://schemas.xmlsoap.org/ws/2004/08/addressing}MessageID"
_TYPES = ".//{http://schemas.xmlsoap.org/ws/2005/04/discovery}Types"


def answer(relates_to: str, endpoint: str, xaddrs: str, scopes: str) -> bytes:
    """Return a ProbeMatches with one match."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Header><w:RelatesTo>{relates_to}</w:RelatesTo></e:Header>
<e:Body><d:ProbeMatches><d:ProbeMatch><w:EndpointReference><w:Address>{endpoint}</w:Address></w:EndpointReference>
<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{scopes}</d:Scopes><d:XAddrs>{xaddrs}</d:XAddrs>
</d:ProbeMatch></d:ProbeMatches></e:Body></e:Envelope>""".encode()


class DiscoveryResponder:
    """Answers each Probe with all of `answers`, each a function from the Probe's MessageID to a datagram."""

    def __init__(self, *answers: Callable[[str], bytes], port: int = 0) -> None:
        """port: of the group; 0 takes a free one, so that tests do not hear each other."""
        raw = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        raw.bind((GROUP, port))
        membership = socket.inet_aton(GROUP) + socket.inet_aton(LOOPBACK)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        self.port: int = raw.getsockname()[1]
        self.probes: list[str] = []
        self._socket = trio.socket.from_stdlib_socket(raw)
        self._answers = answers

    async def run(self) -> None:
        """Answer until cancelled."""
        with self._socket, trio.socket.socket(type=socket.SOCK_DGRAM) as sender:
            await sender.bind((LOOPBACK, 0))
            while True:
                data, prober = await self._socket.recvfrom(65535)
                root = ElementTree.fromstring(data)
                assert "NetworkVideoTransmitter" in (root.findtext(_TYPES) or "")
                self.probes.append(root.findtext(_ID) or "")
                for make in self._answers:
                    await sender.sendto(make(self.probes[-1]), prober)
