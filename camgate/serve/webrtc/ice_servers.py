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

    def for_viewer(self, name: str) -> tuple[IceServer, ...]:
        """Return the servers for somebody of this name, which the TURN server's log shows."""
        return self._stun + tuple(self._let_in(turn, name) for turn in self._turn)

    def _let_in(self, turn: TurnSettings, name: str) -> IceServer:
        if turn.secret is None:
            return IceServer(turn.urls, turn.username, turn.password)
        expires_at_s = int(self._unix_time() + turn.lifetime_s)
        username, credential = turn_credentials(turn.secret, name, expires_at_s)
        return IceServer(turn.urls, username, credential, turn.lifetime_s)
