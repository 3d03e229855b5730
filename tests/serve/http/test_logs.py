"""The latest lines of the log: which ones, and that no secret is among them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

from camgate.base.log import get_logger
from camgate.base.log_setup import setup_logging
from camgate.base.log_tail import KEPT_LINES
from camgate.base.secrets import register_secret
from camgate.config.model import LoggingSettings
from camgate.serve.http.openapi import openapi_document
from tests.fakes.http import PATIENCE_S, Server

log = get_logger("test")


@pytest.fixture
def logging_on() -> Iterator[None]:
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        with setup_logging(LoggingSettings(level="debug"), console=sink):
            yield
    finally:
        os.close(sink)


async def lines(server: Server, query: str, is_whole: Callable[[list[Any]], bool]) -> dict[str, Any]:
    """Ask until what was logged has come through the thread that writes."""
    with trio.fail_after(PATIENCE_S):
        while True:
            answer = (await server.request("GET", f"/api/v1/logs{query}")).json()
            if is_whole(answer["lines"]):
                return dict(answer)
            await trio.lowlevel.checkpoint()


@pytest.mark.usefixtures("logging_on")
async def test_the_latest_lines_are_shown_and_then_what_is_new(server: Server) -> None:
    register_secret("tulip-kiosk-77")
    log.info("camera connected", camera="front", url="rtsp://admin:tulip-kiosk-77@192.0.2.7/")
    log.warning("camera lost", camera="yard")
    log.info("a line of no camera")
    answer = await lines(server, "", lambda found: any("no camera" in line["text"] for line in found))
    schema = openapi_document()["paths"]["/api/v1/logs"]["get"]["responses"]["200"]["content"]["application/json"]
    properties = schema["schema"]["properties"]["lines"]["items"]["properties"]
    assert all(set(line) == set(properties) for line in answer["lines"])
    (connected,) = [line for line in answer["lines"] if line["camera"] == "front"]
    assert connected["text"].startswith("camera connected camera=front")
    assert (connected["level"], connected["area"]) == ("INFO", "test")
    assert "tulip" not in str(answer)
    about_yard = await lines(server, "?camera=yard", bool)
    assert [line["level"] for line in about_yard["lines"]] == ["WARNING"]
    warnings = await lines(server, "?level=warning", bool)
    assert {line["level"] for line in warnings["lines"]} == {"WARNING"}
    assert len((await lines(server, "?limit=1", bool))["lines"]) == 1
    since = f"?after={answer['next']}"
    log.warning("something new", camera="front")
    news = await lines(server, since, lambda found: any("something new" in line["text"] for line in found))
    assert news["next"] > answer["next"]
    assert all(line["number"] > answer["next"] for line in news["lines"])
    # A number of an earlier run, which had more lines.
    assert (await lines(server, "?after=999999", bool))["lines"]


@pytest.mark.usefixtures("logging_on")
async def test_no_more_than_so_many_are_kept(server: Server) -> None:
    for number in range(KEPT_LINES + 200):
        log.info(f"line {number}")
    last = f"line {KEPT_LINES + 199}"
    answer = await lines(server, "", lambda found: bool(found) and found[-1]["text"] == last)
    assert len(answer["lines"]) == KEPT_LINES


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=-1", "?after=" + "9" * 400, "?limit=0", "?limit=1001", "?level=loud", "?limit=%C2%B2"]
)
async def test_what_cannot_be_asked_is_said(server: Server, query: str) -> None:
    reply = await server.request("GET", f"/api/v1/logs{query}")
    assert reply.status == 400
    assert reply.problem()["detail"].startswith(query[1:].partition("=")[0])


async def test_without_a_log_there_are_no_lines(server: Server, web: Path) -> None:
    assert (await server.request("GET", "/api/v1/logs")).json() == {"lines": [], "next": 0}
