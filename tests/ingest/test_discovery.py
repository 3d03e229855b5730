"""Discovery on loopback: real multicast, and cameras that answer well, twice, as others, or with nonsense."""

from functools import partial

import pytest
import trio
from trio.testing import MockClock

from camgate.ingest import discovery
from camgate.ingest.discovery import Discovery, Interface, NoSuchInterface, discover, interface_of, own_interfaces
from tests.fakes.discovery import DiscoveryResponder, answer

FRONT = partial(
    answer,
    endpoint="urn:uuid:front",
    xaddrs="http://127.0.0.1:8000/onvif/device_service",
    scopes="onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/X1",
)
YARD = partial(answer, endpoint="urn:uuid:yard", xaddrs="http://0.0.0.0:81/onvif/device_service", scopes="")


async def found_of(responder: DiscoveryResponder, timeout_s: float = 1.0) -> Discovery:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(responder.run)
        found = await discover([interface_of("127.0.0.1")], timeout_s=timeout_s, port=responder.port)
        nursery.cancel_scope.cancel()
    return found


async def test_cameras_are_found_once_however_often_they_answer(autojump_clock: MockClock) -> None:
    responder = DiscoveryResponder(FRONT, FRONT, partial(YARD, xaddrs="http://10.0.0.9/x"), YARD)
    found = await found_of(responder)
    assert len(responder.probes) == 2
    assert len(set(responder.probes)) == 1
    front, yard = sorted(found.cameras, key=lambda camera: camera.match.endpoint)
    assert (front.match.name, front.match.hardware, front.address) == ("Front door", "X1", "127.0.0.1")
    assert front.onvif == "127.0.0.1:8000"
    assert yard.match.xaddrs == ("http://10.0.0.9/x", "http://0.0.0.0:81/onvif/device_service")
    assert yard.onvif == "http://127.0.0.1/x"
    assert (found.asked, found.failed) == (["127.0.0.1"], [])


async def test_nonsense_does_no_harm(autojump_clock: MockClock) -> None:
    def bomb(relates_to: str) -> bytes:
        return b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + FRONT(relates_to)

    def stranger(_: str) -> bytes:
        return YARD("urn:uuid:of-another-probe")

    found = await found_of(DiscoveryResponder(lambda _: b"", lambda _: b"\xff" * 9000, bomb, stranger, FRONT))
    assert [camera.match.endpoint for camera in found.cameras] == ["urn:uuid:front"]


async def test_a_flood_of_cameras_has_an_end(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MAX_CAMERAS", 3)
    monkeypatch.setattr(discovery, "MAX_ANSWERS", 7)
    numbers = iter(range(1000))

    def another(relates_to: str) -> bytes:
        return answer(relates_to, f"urn:uuid:{next(numbers)}", "", "")

    found = await found_of(DiscoveryResponder(*[another] * 20))
    assert len(found.cameras) == 3
    assert found.cameras[0].onvif == ""


async def test_nobody_answers(autojump_clock: MockClock) -> None:
    found = await found_of(DiscoveryResponder())
    assert found == Discovery([], ["127.0.0.1"], [])


async def test_an_interface_that_cannot_send(autojump_clock: MockClock) -> None:
    found = await discover([Interface("192.0.2.1", 1)], timeout_s=1)
    assert [address for address, _ in found.failed] == ["192.0.2.1"]


def test_multicast_does_not_go_where_nobody_asked() -> None:
    assert all(not each.address.startswith("127.") and each.address != "::1" for each in own_interfaces())


@pytest.mark.parametrize("address", ["192.0.2.1", "nonsense", "127.0.0.1%nosuch"])
def test_an_address_of_another_machine(address: str) -> None:
    with pytest.raises(NoSuchInterface):
        interface_of(address)
