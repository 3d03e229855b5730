"""A media endpoint that runs on a free port of loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from camgate.serve.webrtc.endpoint import Endpoint


@asynccontextmanager
async def running_endpoint(*, tcp: bool = False) -> AsyncIterator[Endpoint]:
    """Run it until the end; then its peers are gone, and its sockets closed."""
    endpoint = Endpoint()
    endpoint.bind(0, tcp=tcp)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(endpoint.run)
            yield endpoint
            nursery.cancel_scope.cancel()
    finally:
        endpoint.close()
