"""Snapshots over HTTP: the picture, how long it is kept, and what is said where there is none."""

from urllib.parse import quote

import pytest

from camgate.relay.errors import NoSnapshot
from tests.fakes.engine import FakeEngine
from tests.fakes.http import Server

ADDRESS = "/api/v1/cameras/front/snapshot.jpg"


@pytest.mark.parametrize(("query", "width"), [("", b"0"), ("?width=16", b"16"), ("?width=8192", b"8192")])
async def test_a_snapshot_is_a_jpeg_for_a_second(server: Server, query: str, width: bytes) -> None:
    reply = await server.request("GET", ADDRESS + query)
    assert (reply.status, reply.body) == (200, b"\xff\xd8" + width)
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["cache-control"] == "private, max-age=1"
    assert reply.headers["etag"] == f'"etag-{width.decode()}"'


async def test_a_picture_that_is_known_is_not_sent_again(server: Server) -> None:
    reply = await server.request("GET", ADDRESS, headers={"If-None-Match": '"etag-0"'})
    assert (reply.status, reply.body) == (304, b"")
    assert (await server.request("GET", ADDRESS, headers={"If-None-Match": '"etag-1"'})).status == 200


@pytest.mark.parametrize("width", ["", "15", "8193", "-20", "640.0", "1e3", "٦٤٠", "0640000", "wide"])
async def test_a_width_that_is_none_is_said(server: Server, width: str) -> None:
    reply = await server.request("GET", f"{ADDRESS}?width={quote(width)}")
    assert reply.status == 400
    assert reply.problem()["type"] == "urn:camgate:problem:bad-width"
    assert "from 16 to 8192" in str(reply.problem()["detail"])


async def test_no_camera_and_no_picture(server: Server, engine: FakeEngine) -> None:
    assert (await server.request("GET", "/api/v1/cameras/garage/snapshot.jpg")).status == 404
    engine.refusal = NoSnapshot("front", "its key frame broke the decoder", retry_after_s=2)
    reply = await server.request("GET", ADDRESS)
    assert (reply.status, reply.headers["retry-after"]) == (503, "2")
    assert "its key frame broke the decoder; try again in 2 s" in str(reply.problem()["detail"])
