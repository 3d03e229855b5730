"""The structured headers: Session, Transport and Public (RFC 2326 §12.37, §12.39, §12.28).

Parsers here never fail: what a camera got wrong is left out, and the caller has a default for each field.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_SESSION_TIMEOUT_S = 60.0
"""RFC 2326 §12.37: the default is 60 seconds."""

_MAX_SESSION_TIMEOUT_S = 24 * 3600.0

_CHANNELS = range(256)
_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Session:
    """A Session header: the id, and after how many seconds without a request the server drops the session."""

    id: str
    timeout_s: float = DEFAULT_SESSION_TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """One transport of a Transport header. None is what the peer left out, or wrote so that it means nothing.

    interleaved: the two channels for RTP and RTCP on the TCP connection.
    client_port, server_port: UDP ports for RTP and RTCP.
    """

    protocol: str = "RTP/AVP/TCP"
    is_unicast: bool = True
    interleaved: tuple[int, int] | None = None
    client_port: tuple[int, int] | None = None
    server_port: tuple[int, int] | None = None
    source: str | None = None
    ssrc: int | None = None

    @property
    def names_udp(self) -> bool:
        """Whether media would come as UDP. The protocol does not tell: Escam Q6 interleaves and answers `RTP/AVP`."""
        has_ports = self.client_port is not None or self.server_port is not None
        return self.interleaved is None and (has_ports or not self.is_unicast)

    def __str__(self) -> str:
        parts = [self.protocol, "unicast" if self.is_unicast else "multicast"]
        for name in ("interleaved", "client_port", "server_port"):
            pair = getattr(self, name)
            if pair is not None:
                parts.append(f"{name}={pair[0]}-{pair[1]}")
        if self.source is not None:
            parts.append(f"source={self.source}")
        if self.ssrc is not None:
            parts.append(f"ssrc={self.ssrc:08X}")
        return ";".join(parts)


def parse_session_untrusted(value: str) -> Session | None:
    """Parse a Session header; None where it holds no id."""
    session_id, *parameters = (part.strip() for part in value.split(";"))
    if not session_id:
        return None
    for parameter in parameters:
        timeout = re.fullmatch(r"timeout\s*=\s*([0-9]{1,9})", parameter, re.IGNORECASE)
        if timeout and int(timeout[1]) > 0:
            return Session(session_id, min(float(timeout[1]), _MAX_SESSION_TIMEOUT_S))
    return Session(session_id)


def parse_transports_untrusted(value: str) -> list[Transport]:
    """Parse a Transport header into its alternatives, in the order of preference that the peer gave them."""
    return [_parse_transport(text) for text in value.split(",") if text.strip()]


def parse_public_untrusted(values: Iterable[str]) -> frozenset[str]:
    """Return the methods that Public headers list; empty means unknown, not none."""
    return frozenset(method.strip().upper() for value in values for method in value.split(",") if method.strip())


def _parse_transport(text: str) -> Transport:
    protocol, *parts = (part.strip() for part in text.split(";"))
    parameters: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        parameters.setdefault(name.strip().lower(), value.strip())
    return Transport(
        protocol=protocol,
        is_unicast="multicast" not in parameters,
        interleaved=_parse_pair(parameters.get("interleaved"), _CHANNELS),
        client_port=_parse_pair(parameters.get("client_port"), _PORTS),
        server_port=_parse_pair(parameters.get("server_port"), _PORTS),
        source=parameters.get("source") or None,
        ssrc=_parse_ssrc(parameters.get("ssrc", "")),
    )


def _parse_pair(text: str | None, allowed: range) -> tuple[int, int] | None:
    pair = re.fullmatch(r"([0-9]{1,6})(?:\s*-\s*([0-9]{1,6}))?", text or "")
    if not pair:
        return None
    first = int(pair[1])
    # RFC 2326 §12.39 lets a single number stand for the pair that begins with it.
    second = int(pair[2]) if pair[2] else first + 1
    return (first, second) if first in allowed and second in allowed and first != second else None


def _parse_ssrc(text: str) -> int | None:
    # Eight hexadecimal digits by the grammar; Hikvision writes " d6d6627", others decimal numbers or words.
    return int(text, 16) if re.fullmatch(r"[0-9A-Fa-f]{1,8}", text) else None
