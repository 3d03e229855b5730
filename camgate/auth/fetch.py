"""Asks other people's web servers: with a deadline, for little, and nobody but whom the config names.

TLS is verified, redirects are not followed, proxies of the environment are not used.
"""

import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx
import trio

# Its log lines hold addresses.
logging.getLogger("httpx").setLevel(logging.WARNING)

MAX_ANSWER_BYTES = 256 * 1024
MAX_CONNECTIONS = 20


class Unanswered(Exception):
    """There was no answer that one could use; says why, and never the address, in which there may be a password."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. retry_after: the header of that name, as it came; empty where there was none."""

    status: int
    body: bytes
    retry_after: str = ""


class Fetcher:
    """Asks servers; opened at the first request, or before by `open`, since making TLS contexts takes some 20 ms."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    def open(self) -> None:
        """Take that time now."""
        self._opened()

    async def get(self, url: str, *, timeout_s: float) -> Fetched:
        """Get a document. Raises Unanswered."""
        return await self._ask("GET", url, {"Accept": "application/json"}, b"", timeout_s)

    async def post(
        self, url: str, body: bytes, *, timeout_s: float, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Fetched:
        """Post JSON; of the answer, the status counts. headers: sent as well. Raises Unanswered."""
        return await self._ask("POST", url, {"Content-Type": "application/json", **headers}, body, timeout_s)

    async def aclose(self) -> None:
        """Close what is open."""
        if self._client is not None:
            with trio.CancelScope(shield=True), trio.move_on_after(1.0):
                await self._client.aclose()

    async def _ask(self, method: str, url: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Fetched:
        client = self._opened()
        # Not compressed: some bytes could become many.
        headers["Accept-Encoding"] = "identity"
        try:
            with trio.fail_after(timeout_s):
                async with client.stream(method, url, headers=headers, content=body or None) as response:
                    retry_after = response.headers.get("Retry-After", "")
                    return Fetched(response.status_code, await _body(response), retry_after)
        except trio.TooSlowError:
            raise Unanswered(f"it did not answer within {timeout_s:g} s") from None
        except httpx.ConnectError as error:
            raise Unanswered(_reason(error)) from None
        except UnicodeError:  # of getaddrinfo: `a..b`
            raise Unanswered("it cannot be connected to") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unanswered(f"the connection broke ({type(error).__name__})") from None

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=4, keepalive_expiry=10.0)
            # Deadlines are trio's, over all of a request.
            self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None, limits=limits)  # noqa: S113 (the caller's deadline)
        return self._client


async def _body(response: httpx.Response) -> bytes:
    too_long = Unanswered(f"its answer has more than {MAX_ANSWER_BYTES} bytes")
    if int(response.headers.get("Content-Length", 0)) > MAX_ANSWER_BYTES:
        raise too_long
    body, length = b"", 0
    # To its end or the deadline: generators of httpx that were left in between warn when they are collected.
    async for part in response.aiter_raw():
        length += len(part)
        body = body + part if length <= MAX_ANSWER_BYTES else b""
    if length > MAX_ANSWER_BYTES:
        raise too_long
    return body


def _reason(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return "its certificate is not trusted"
        if isinstance(error, ssl.SSLError):
            return "it speaks no TLS that we do"
        error = error.__cause__ or error.__context__
    return "it cannot be connected to"
