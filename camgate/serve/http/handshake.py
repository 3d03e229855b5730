"""The beginning of an encrypted connection: its handshake, within bounds, and words for those who speak plain HTTP."""

import ssl

import trio

from camgate.base.log import get_logger
from camgate.base.place import place
from camgate.serve.http.problem import Problem

log = get_logger("serve.http")

HANDSHAKE_S = 10.0
"""From the connect to the end of the handshake: three round trips of the slowest networks."""
PLAIN_TIMEOUT_S = 1.0
_HANDSHAKE_RECORD = b"\x16"
"""RFC 8446 section 5.1: the first byte of every TLS connection."""


class Handshakes:
    """The handshakes of a server, whose heavy steps take turns.

    A step takes up to some milliseconds (a signature by RSA-4096), and Trio runs all tasks that are ready before it
    looks for new events: of two hundred clients who come at once, one goes on between two looks.
    """

    def __init__(self) -> None:
        self._turn = trio.Lock()

    async def shake_hands(
        self, stream: trio.SocketStream, context: ssl.SSLContext
    ) -> trio.SSLStream[trio.SocketStream] | None:
        """Return the encrypted stream; None where there will be none, and the connection is closed."""
        try:
            with trio.fail_after(HANDSHAKE_S):
                first = await stream.socket.recv(1, trio.socket.MSG_PEEK)
                if first != _HANDSHAKE_RECORD:
                    if first:
                        await _say_https(stream)
                    raise trio.BrokenResourceError
                encrypted = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
                encrypted.transport_stream = _InTurn(stream, self._turn)  # type: ignore[assignment]
                await encrypted.do_handshake()
                encrypted.transport_stream = stream
        except (trio.BrokenResourceError, trio.TooSlowError, OSError) as error:
            # Scanners and browsers that distrust the certificate come all the time.
            reason = str(error.__cause__ or error) or type(error).__name__
            log.debug("HTTPS handshake failed", address=_address(stream), reason=reason)
            await trio.aclose_forcefully(stream)
            return None
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return encrypted


class _InTurn(trio.abc.Stream):
    """A stream whose reader goes on only when it is its turn: TLS does its work right after each read."""

    def __init__(self, stream: trio.SocketStream, turn: trio.Lock) -> None:
        self._stream = stream
        self._turn = turn

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        # Giving the lock back wakes the next one in the scheduler's pass after this; the turn is the rest of this one.
        async with self._turn:
            return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _say_https(stream: trio.SocketStream) -> None:
    problem = Problem(status=400, detail="This port speaks HTTPS only; write https:// in front of the address.")
    with trio.move_on_after(PLAIN_TIMEOUT_S):
        await stream.send_all(problem.raw())
        await stream.send_eof()
        # What is not read would be answered by a reset, which overtakes our words.
        while await stream.receive_some(4096):
            pass


def _address(stream: trio.SocketStream) -> str:
    try:
        return place(*stream.socket.getpeername()[:2])
    except OSError:
        return "unknown"
