"""What a scrape says of a server that really has a viewer, read by Prometheus's own parser."""

from collections.abc import Callable, Iterable
from pathlib import Path

import trio
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from camgate.relay.source import CameraState
from tests.fakes.house import House, open_house
from tests.fakes.visitors import Watcher, reading

HANG_S = 30.0
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples(families: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


class Page:
    """One scrape."""

    def __init__(self, text: str, parse: Callable[[str], Iterable[Metric]] = parse_text) -> None:
        self.text = text
        self.samples = samples(parse(text))

    def value(self, name: str, **labels: str) -> float:
        """One sample's value."""
        return self.samples[f"camgate_{name}", frozenset(labels.items())]

    def labels(self, name: str) -> list[dict[str, str]]:
        """The labels of all samples of a name."""
        return [dict(labels) for each, labels in self.samples if each == f"camgate_{name}"]


async def scrape(house: House) -> Page:
    reply = await house.http.request("GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    return Page(reply.body.decode())


async def test_a_viewer_is_counted_while_it_watches_and_after(tmp_path: Path) -> None:
    with trio.fail_after(HANG_S):
        async with open_house(tmp_path) as house:
            house.film(5)
            before = await scrape(house)
            assert before.value("sent_packets_total", camera="front") == 0
            assert before.value("join_seconds_count") == before.value("first_frame_seconds_count") == 0
            async with reading(house.visitors.viewer(Watcher, full=True)) as (viewer, seen):
                await viewer.join()
                await seen.wait()
                during = await scrape(house)
                peer = next(house.endpoint.peers())
                address = viewer.sock.getsockname()
            assert during.value("viewers", camera="front", codec="H264", transport="udp") == 1
            assert during.value("join_seconds_count") == during.value("first_frame_seconds_count") == 1
            assert 0 < during.value("join_seconds_sum") <= during.value("first_frame_seconds_sum") < HANG_S
            assert during.value("first_frame_seconds_bucket", le="+Inf") == 1
            assert during.value("joins_admitted_total") == 1
            assert during.value("sent_packets_total", camera="front") > 0
            assert f":{address[1]}" not in during.text
            await peer.wait_closed()
            after = await scrape(house)
            assert not after.labels("viewers")
            assert after.value("sent_packets_total", camera="front") >= len(viewer.packets) > 0
            assert after.value("join_seconds_count") == after.value("first_frame_seconds_count") == 1


async def test_a_camera_is_told_by_its_state(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.film(5)
        live = await scrape(house)
        assert live.value("camera_up", camera="front") == 1
        assert live.value("camera_frames_total", camera="front") == 5
        assert live.value("camera_key_frames_total", camera="front") == 1
        assert [each["codec"] for each in live.labels("camera_info")] == ["H264"]
        house.source.set_state(CameraState.STALLED, "no frame for 10 s")
        stalled = await scrape(house)
        assert stalled.value("camera_up", camera="front") == 0
        states = {each["state"]: stalled.value("camera_state", **each) for each in stalled.labels("camera_state")}
        assert [state for state, value in states.items() if value] == ["stalled"]
        assert set(states) == {state.value for state in CameraState}
        assert "no frame" not in stalled.text


async def test_every_label_is_bounded(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        house.film(1)
        page = await scrape(house)
    names = {label for _, labels in page.samples for label, _ in labels}
    assert names <= {
        *("camera", "codec", "transport", "state", "reason", "limit", "of", "le", "version", "width", "height"),
        *("implementation", "major", "minor", "patchlevel", "generation"),
    }


async def test_openmetrics_is_spoken_to_those_who_ask(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        reply = await house.http.request("GET", "/metrics", headers={"Accept": OPENMETRICS})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    page = Page(reply.body.decode(), parse_openmetrics)
    assert page.value("build_info", version=page.labels("build_info")[0]["version"]) == 1


async def test_others_have_their_turn_while_many_cameras_are_looked_at(tmp_path: Path) -> None:
    many = 200
    async with open_house(tmp_path) as house:
        house.add_cameras(many)
        turns = 0

        async def take_turns() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_turns)
            text, _ = await house.metrics.page("")
            nursery.cancel_scope.cancel()
    assert text.count(b"\ncamgate_camera_up{") == many + 1
    assert turns >= many // 25
