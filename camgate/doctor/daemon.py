"""The camgate that runs, if one does: asked over HTTP like by anybody else, with a token where it wants one."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from camgate.base.errors import RemoteError

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 16 << 20


class NoAnswer(RemoteError):
    """Nothing that speaks HTTP answered. `reason`: a clause."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers`: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def trusting_context() -> ssl.SSLContext:
    """Take any certificate, for a look at what stands behind one that is judged by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask.

    address, port: that are dialled. host: what the Host header says. tls: None for plain HTTP. root: path in front of
    camgate's own. token: shown as Bearer; empty for none.
    """

    address: str
    port: int
    host: str
    tls: ssl.SSLContext | None = None
    root: str = ""
    token: str = field(default="", repr=False)

    async def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request and return the answer, whatever its status. Raises NoAnswer."""
        named = {"Host": self.host, "User-Agent": "camgate-doctor"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named["Authorization"] = f"Bearer {self.token}"
        return await trio.to_thread.run_sync(self._ask, method, self.root + path, body, named, abandon_on_cancel=True)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = (
            http.client.HTTPConnection(self.address, self.port, timeout=TIMEOUT_S)
            if self.tls is None
            else _Protected(self.address, self.port, self.tls, self.host)
        )
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES)
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        except ssl.SSLError as error:
            raise NoAnswer(f"no TLS came about: {error.reason or error}") from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {TIMEOUT_S:g} s") from error
        except OSError as error:
            raise NoAnswer((error.strerror or str(error)).lower()) from error
        except http.client.HTTPException as error:
            raise NoAnswer(f"what answers does not speak HTTP ({type(error).__name__})") from error
        finally:
            connection.close()


class _Protected(http.client.HTTPSConnection):
    """HTTPS to an address, under the name that the certificate is for."""

    def __init__(self, address: str, port: int, context: ssl.SSLContext, name: str) -> None:
        super().__init__(address, port, timeout=TIMEOUT_S, context=context)
        self._context = context
        self._name = name.rpartition(":")[0].strip("[]") if not name.endswith("]") and ":" in name else name.strip("[]")

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


@dataclass(frozen=True, slots=True)
class Told:
    """What a running camgate told of itself. None where it would not, for want of a permission or an answer."""

    server: dict[str, Any] | None = None
    cameras: list[dict[str, Any]] | None = None
    why_not: str = ""
    """Why something is None, in words."""

    def camera(self, name: str) -> dict[str, Any] | None:
        """Return what it told of one camera."""
        return next((each for each in self.cameras or [] if each.get("name") == name), None)


async def ask_all(server: Server) -> Told:
    """Ask a running camgate for what it tells of itself."""
    try:
        cameras = await server.ask("GET", "/api/v1/cameras")
        about = await server.ask("GET", "/api/v1/server")
    except NoAnswer as error:
        return Told(why_not=str(error))
    refused = next((each.status for each in (cameras, about) if each.status != 200), None)
    why_not = "" if refused is None else f"it answered {refused}"
    if refused in (401, 403):
        why_not = "it wants a login: give a token in CAMGATE_TOKEN, or run camgate doctor as camgate's own user"
    told_cameras, told_server = cameras.json(), about.json()
    return Told(
        server=told_server if about.status == 200 and isinstance(told_server, dict) else None,
        cameras=told_cameras if cameras.status == 200 and isinstance(told_cameras, list) else None,
        why_not=why_not,
    )
