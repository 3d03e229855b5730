"""`Transports`: which way a camera's media is asked for next, out of what is configured and what the camera refused."""

from camgate.base.errors import RemoteError
from camgate.config.model import Transport
from camgate.ingest.errors import NoTransportWorks, UdpSilent
from camgate.wire.rtsp.errors import UnexpectedStatus, UnsupportedTransport

TCP, UDP = Transport.TCP, Transport.UDP

_REFUSALS = (400, 406, 461, 501, 551)
"""Answers to SETUP that may be about the transport; 461 (RFC 2326, 11.3.12) is what says so."""


class Transports:
    """One camera's, as long as it is configured: what worked last is asked for first the next time.

    `begin` each try, `refuse` each transport that fails in it; `current` is the one to ask for.
    """

    def __init__(self, configured: Transport) -> None:
        self.current = TCP if configured is Transport.AUTO else configured
        self._is_free = configured is Transport.AUTO
        self._refusals: dict[Transport, RemoteError] = {}

    def begin(self) -> None:
        """A new try: whatever was refused before may be asked for again."""
        self._refusals.clear()

    def refuse(self, error: RemoteError, *, is_protected: bool = False) -> None:
        """Turn to the other transport, because of `error`; raise that, or NoTransportWorks, where there is none left.

        is_protected: the connection is TLS, which must not be left for UDP.
        """
        if not self._is_free or is_protected:
            raise error
        self._refusals[self.current] = error
        self.current = UDP if self.current is TCP else TCP
        if self.current in self._refusals:
            self.current = TCP
            raise NoTransportWorks(self._refusals[TCP], self._refusals[UDP]) from error


def is_refusal(error: RemoteError) -> bool:
    """Whether an error says that the camera does not send in the way that it was asked for."""
    match error:
        case UnexpectedStatus(method="SETUP", status_code=status):
            return status in _REFUSALS
        case UnsupportedTransport() | UdpSilent():
            return True
        case _:
            return False
