"""Which STUN and TURN servers one viewer is told of, with credentials of its own where they are made of a secret."""

import time
from collections.abc import Callable

from camgate.config.model import TurnSettings, WebRtcSettings
from camgate.wire.ice.servers import IceServer, turn_credentials


class IceServers:
    """The configured servers. unix_time: TURN servers compare the end of credentials with their own wall clock."""

    def __init__(self, settings: WebRtcSettings, unix_time: Callable[[], float] = time.time) -> None:
        self._stun = (IceServer(settings.stun),) if settings.stun else ()
        self._turn = tuple(settings.turn.values())
        self._unix_time = unix_time

    @property
    def are_configured(self) -> bool:
        """Whether there is any to be told of."""
        return bool(self._stun or self._turn)

    def for_viewer(self, name: str, until_s: float | None = None) -> tuple[IceServer, ...]:
        """Return the servers for somebody of this name, which the TURN server's log shows.

        until_s: when its right to view ends, in Unix time; so do its credentials.
        """
        return self._stun + tuple(self._let_in(turn, name, until_s) for turn in self._turn)

    def _let_in(self, turn: TurnSettings, name: str, until_s: float | None) -> IceServer:
        if turn.secret is None:
            return IceServer(turn.urls, turn.username, turn.password)
        now = self._unix_time()
        lifetime_s = turn.lifetime_s if until_s is None else min(turn.lifetime_s, max(until_s - now, 1.0))
        username, credential = turn_credentials(turn.secret, name, int(now + lifetime_s))
        return IceServer(turn.urls, username, credential, lifetime_s)
