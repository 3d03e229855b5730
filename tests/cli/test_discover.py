"""`camgate discover` against cameras on loopback, at the real port: other tests may answer there, too."""

import json
import re
import uuid
from functools import partial
from pathlib import Path

import trio

from camgate.cli.discover import in_words
from camgate.ingest.discovery import Discovery
from tests.fakes.command import Outcome, camgate
from tests.fakes.discovery import DiscoveryResponder, answer

PORT = 3702


async def discovered(directory: Path, endpoint: str, *arguments: str) -> Outcome:
    """Run the command beside one camera."""
    scopes = "onvif://www.onvif.org/name/Front%1b[31m onvif://www.onvif.org/location/Garden"
    xaddrs = "http://127.0.0.1:8000/onvif/device_service"
    responder = DiscoveryResponder(partial(answer, endpoint=endpoint, xaddrs=xaddrs, scopes=scopes), port=PORT)
    command = ("discover", "--interface=127.0.0.1", "--timeout=0.3", *arguments)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(responder.run)
        outcome = await trio.to_thread.run_sync(lambda: camgate(*command, directory=directory))
        nursery.cancel_scope.cancel()
    return outcome


async def test_as_json(tmp_path: Path) -> None:
    endpoint = f"urn:uuid:{uuid.uuid4()}"
    outcome = await discovered(tmp_path, endpoint, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    [camera] = [camera for camera in json.loads(outcome.out) if camera["endpoint"] == endpoint]
    assert camera == {
        "name": "Front?[31m",
        "hardware": "",
        "location": "Garden",
        "address": "127.0.0.1",
        "onvif": "127.0.0.1:8000",
        "endpoint": endpoint,
        "xaddrs": ["http://127.0.0.1:8000/onvif/device_service"],
    }


async def test_for_people(tmp_path: Path) -> None:
    outcome = await discovered(tmp_path, f"urn:uuid:{uuid.uuid4()}")
    assert outcome.code == 0
    assert re.match(r"name +hardware +location +address +onvif *\n", outcome.out)
    assert re.search(r"^Front\?\[31m +Garden +127\.0\.0\.1 +127\.0\.0\.1:8000 *$", outcome.out, re.MULTILINE)
    assert "camgate probe --onvif ADDRESS" in outcome.err


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    outcome = camgate("discover", "--interface=192.0.2.1", directory=tmp_path)
    assert outcome.code == 2
    assert outcome.err.startswith("camgate: --interface: is no address of this machine; write one of ")
    assert outcome.err.count("\n") == 1


def test_nobody_answers() -> None:
    [line] = in_words(Discovery([], ["192.0.2.1", "192.0.2.2"], []))
    assert line.startswith("no camera answered on 192.0.2.1, 192.0.2.2. Check that the cameras are on the same network")


def test_nobody_could_be_asked() -> None:
    assert in_words(Discovery([], ["192.0.2.1"], [("192.0.2.1", "Network is unreachable")])) == [
        "could not ask from 192.0.2.1: Network is unreachable"
    ]
    assert in_words(Discovery([], [], []))[0].startswith("this machine has no address that multicast can leave from")
