"""Who watches, as operators are told: a real viewer, its figures, and its end."""

from pathlib import Path
from typing import Any

import trio
import trio.lowlevel

from camgate.audience import describe_player
from camgate.serve.rtsp.guests import Guest, Guests
from tests.fakes.engine import viewer_facts
from tests.fakes.house import GOP, House, open_house
from tests.fakes.visitors import HANG_S, reading


async def viewers(house: House) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await house.http.request("GET", "/api/v1/viewers")).json()
    return listed


async def test_a_viewer_is_told_of_and_sent_away_and_another_watches_on(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    async with open_house(tmp_path / "web") as house:
        house.film(1)
        first, second = (house.visitors.viewer(full=True) for _ in range(2))
        async with reading(first) as (_, first_saw), reading(second) as (_, second_saw):
            with trio.fail_after(HANG_S):
                for viewer, seen in ((first, first_saw), (second, second_saw)):
                    await viewer.join()
                    house.film(1)
                    await seen.wait()
                listed = await viewers(house)
                assert [set(each) for each in listed] == [set(viewer_facts("a"))] * 2
                one = listed[0]
                assert (one["camera"], one["protocol"], one["transport"]) == ("front", "webrtc", "udp")
                assert (one["is_connected"], one["codec"], one["way"]) == (True, "H264", "as-is")
                assert one["user"] == "everybody"
                assert one["bytes_sent"] > one["packets_sent"] > 0
                session = next(house.endpoint.peers()).session_id
                assert session.startswith(one["id"])
                assert len(one["id"]) < len(session) / 2, "who knows it could take the session over"
                path = f"/api/v1/cameras/front/viewers/{one['id']}"
                assert (await house.http.request("DELETE", path)).status == 204
                while len(left := await viewers(house)) > 1:
                    pass
                assert [each["id"] for each in left] == [listed[1]["id"]]
                assert (await house.http.request("DELETE", path)).status == 404
                before = second.reception.index
                house.film(GOP)
                while second.reception.index == before:
                    await trio.lowlevel.checkpoint()


async def test_a_player_by_rtsp_is_told_of_and_sent_away() -> None:
    guests = Guests(max_clients=2, max_clients_per_address=2)
    first, second = Guest("a", "192.0.2.7:50000"), Guest("b", "192.0.2.8:50000")
    with guests.enter(first), guests.enter(second):
        for guest in (first, second):
            guests.play(guest, "front")
        ids = [client.id for client in guests.clients()]
        assert len(set(ids)) == 2
        assert [set(describe_player(client)) for client in guests.clients()] == [set(viewer_facts("a"))] * 2
        assert not guests.end("yard", ids[0])
        assert not guests.end("front", "rtsp-99")
        assert guests.end("front", ids[0])
        assert (first.scope.cancel_called, second.scope.cancel_called) == (True, False)
