"""The zoo, part two: what cameras do to pictures, their packets and their clocks. docs/cameras.md lists them all."""

import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
import trio
from trio.testing import MockClock as Clock

from camgate.config.model import CameraSettings, Transport
from camgate.relay.source import CameraState
from camgate.wire.codec.frame import Frame
from tests.fakes.certificates import Certificate, make_certificate
from tests.fakes.film import (
    AUD,
    FILLER,
    OTHER_PPS,
    OTHER_SPS,
    PPS,
    SEI,
    SPS,
    START_CODE,
    VIDEO_SSRC,
    Film,
    Pack,
    Packet,
    fragments,
    further_slice,
    one_by_one,
    plain,
    slice_of,
)
from tests.fakes.liar import Liar, script
from tests.fakes.udp import FakeUdp
from tests.fakes.zoo import Show, shown

SECONDS = 3.0
PICTURES = 70


@asynccontextmanager
async def over(way: str, camera: Liar, certificate: Certificate) -> AsyncIterator[Show]:
    """Show a camera over `tcp`, `udp` or `tls`."""
    if way == "udp":
        camera.udp = FakeUdp()
    elif way == "tls":
        camera.tls = certificate.context
    settings = CameraSettings(
        name="liar",
        url=f"{'rtsps' if way == 'tls' else 'rtsp'}://192.0.2.7/stream",
        transport=Transport.UDP if way == "udp" else Transport.TCP,
        tls_fingerprint=certificate.fingerprint if way == "tls" else None,
    )
    async with shown(camera, settings=settings) as show:
        yield show
        assert show.source.statistics().transport == way
    if camera.udp is not None:
        camera.udp.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


async def plays(film: Film, text: str, way: str, certificate: Certificate) -> Show:
    """Watch a film for three seconds: all pictures come, whole and on time. Returns what was seen."""
    async with over(way, Liar(text, film), certificate) as show:
        await trio.sleep(SECONDS)
        show.assert_whole(PICTURES)
        assert show.source.statistics().clock_jumps == 0
    return show


def nal_types(frames: Iterable[Frame]) -> list[list[int]]:
    return [[nal[0] & 0x1F for nal in frame.nals] for frame in frames]


# How pictures are packed.


def marked(*types: int) -> Pack:
    """Set the marker on NAL units of these types, too."""

    def pack(nals: list[bytes]) -> list[Packet]:
        return [replace(p, marker=p.marker or p.payload[0] & 0x1F in types) for p in one_by_one(nals)]

    return pack


def unmarked(nals: list[bytes]) -> list[Packet]:
    return [replace(packet, marker=False) for packet in one_by_one(nals)]


def sets_at_another_time(nals: list[bytes]) -> list[Packet]:
    return [replace(p, ticks=-90 if p.payload[0] & 0x1F in (7, 8) else 0) for p in one_by_one(nals)]


def as_byte_stream(nals: list[bytes]) -> list[Packet]:
    return [Packet(b"".join(START_CODE + nal for nal in nals), marker=True)]


def as_fragmented_byte_stream(nals: list[bytes]) -> list[Packet]:
    payloads = fragments(nals[0] + b"".join(START_CODE + nal for nal in nals[1:]), 100)
    return [Packet(payload, marker=payload is payloads[-1]) for payload in payloads]


def fragments_that_start_and_end(nals: list[bytes]) -> list[Packet]:
    payloads = [bytes((nal[0] & 0xE0 | 28, 0xC0 | nal[0] & 0x1F)) + nal[1:] for nal in nals]
    return [Packet(payload, marker=payload is payloads[-1]) for payload in payloads]


def fragments_of_changing_type(nals: list[bytes]) -> list[Packet]:
    packets = one_by_one(nals)

    def flip(packet: Packet) -> Packet:
        payload = packet.payload
        if payload[0] & 0x1F != 28 or payload[1] & 0x80:
            return packet
        return replace(packet, payload=payload[:1] + bytes((payload[1] ^ 0x04,)) + payload[2:])

    return [flip(packet) for packet in packets]


def fragments_without_end(nals: list[bytes]) -> list[Packet]:
    def cut(packet: Packet) -> Packet:
        payload = packet.payload
        if payload[0] & 0x1F != 28:
            return packet
        return replace(packet, payload=payload[:1] + bytes((payload[1] & ~0x40,)) + payload[2:])

    return [cut(packet) for packet in one_by_one(nals)]


def in_one_packet(nals: list[bytes]) -> list[Packet]:
    return [Packet(nal, marker=nal is nals[-1]) for nal in nals]


def padded_aggregate(nals: list[bytes]) -> list[Packet]:
    head = b"\x18" + b"".join(len(nal).to_bytes(2, "big") + nal for nal in nals[:-1]) + bytes(6)
    return [*([Packet(head)] if len(nals) > 1 else []), *one_by_one(nals[-1:])]


def with_packets_of_another_type(nals: list[bytes]) -> list[Packet]:
    # Geovision: payload type 50, under the number of the packet that follows.
    return [p for packet in one_by_one(nals) for p in (Packet(b"?", payload_type=50, is_counted=False), packet)]


def with_a_second_source(nals: list[bytes]) -> list[Packet]:
    # live555 of 2014: the rest of an old session, on the same channel.
    stale = Packet(slice_of(0, key=False), ssrc=VIDEO_SSRC + 1, is_counted=False, marker=True, ticks=99_999)
    return [stale, *one_by_one(nals)]


def on_unknown_channels(nals: list[bytes]) -> list[Packet]:
    return [Packet(b"metadata", on=7, is_counted=False), *one_by_one(nals)]


def big(number: int, *, is_key: bool) -> list[bytes]:
    return [SPS, PPS, slice_of(number, key=True, size=60_000)] if is_key else [slice_of(number, key=False)]


PACKS: dict[str, Film] = {
    "marker on SPS and PPS": Film(pack=marked(7, 8)),
    "marker on SEI": Film(
        pack=marked(6, 9), nals=lambda number, is_key: [AUD, SEI, *plain(number, is_key=is_key)]
    ),
    "never a marker": Film(pack=unmarked),
    "SPS and PPS of another time": Film(pack=sets_at_another_time),
    "SPS and PPS of another time, marked": Film(
        pack=lambda nals: [replace(p, marker=p.marker or bool(p.ticks)) for p in sets_at_another_time(nals)]
    ),
    "a byte stream in a packet": Film(pack=as_byte_stream),
    "a byte stream in fragments": Film(pack=as_fragmented_byte_stream),
    "fragments that start and end": Film(pack=fragments_that_start_and_end),
    "fragments of changing type": Film(pack=fragments_of_changing_type),
    "fragments without end": Film(pack=fragments_without_end),
    "60 kB in one packet": Film(pack=in_one_packet, nals=big),
    "60 kB in fragments": Film(nals=big),
    "a padded aggregate": Film(pack=padded_aggregate),
    "packets of another payload type": Film(pack=with_packets_of_another_type),
    "packets on channels that nobody set up": Film(pack=on_unknown_channels),
    "several slices": Film(
        nals=lambda number, is_key: [*plain(number, is_key=is_key), further_slice(number, key=is_key)]
    ),
    "delimiters, SEI, filler": Film(
        nals=lambda number, is_key: [AUD, SEI, *plain(number, is_key=is_key), FILLER]
    ),
    "sets only in band": Film(),
    "sets only in the session description": Film(nals=lambda number, is_key: plain(number, is_key=is_key)[-1:]),
    "a group of ten seconds": Film(gop=250),
}  # fmt: skip


@pytest.mark.parametrize("way", ["tcp", "udp", "tls"])
@pytest.mark.parametrize("name", PACKS)
async def test_pictures_with(name: str, way: str, certificate: Certificate, autojump_clock: Clock) -> None:
    text = script(fmtp="") if "only in band" in name else script()
    show = await plays(PACKS[name], text, way, certificate)
    # Whoever joins at a key frame finds the parameter sets there.
    for frame in show.frames:
        types = nal_types([frame])[0]
        assert frame.is_key == (5 in types)
        assert not frame.is_key or (7 in types and 8 in types), types


@pytest.mark.parametrize("way", ["tcp", "udp"])
async def test_pictures_of_a_stream_beside_the_rest_of_an_older_one(
    way: str, certificate: Certificate, autojump_clock: Clock
) -> None:
    camera = Liar(script(), Film(pack=with_a_second_source))
    async with over(way, camera, certificate) as show:
        await trio.sleep(SECONDS)
        # Whichever came first costs nothing but itself.
        assert show.numbers[:PICTURES] == list(range(PICTURES))
        assert show.words == []


async def test_pictures_of_which_one_packet_in_twenty_is_lost(autojump_clock: Clock) -> None:
    random = Random(3)
    lost = {sequence for sequence in range(65_500, 66_500) if random.random() < 0.05}
    camera = Liar(script(), Film(gop=10, drops=lost.__contains__))
    async with shown(camera) as show:
        await trio.sleep(10)
        numbers = show.numbers
        # Nothing that builds on what is missing: each run of pictures begins with a key frame.
        broken = [number for last, number in pairwise(numbers) if number != last + 1]
        assert all(number % 10 == 0 for number in broken)
        assert len(numbers) > 80
        assert show.source.state is CameraState.LIVE
        show.assert_on_time()


async def test_another_payload_type_than_was_described_over_udp(
    certificate: Certificate, autojump_clock: Clock
) -> None:
    def pack(nals: list[bytes]) -> list[Packet]:
        return [replace(packet, payload_type=99) for packet in one_by_one(nals)]

    async with over("udp", Liar(script(), Film(pack=pack, gop=10)), certificate) as show:
        await trio.sleep(SECONDS)
        assert show.numbers[:40] == list(range(show.numbers[0], show.numbers[0] + 40))
        assert show.numbers[0] <= 20


# Parameter sets that change.


async def test_a_resolution_that_changes_without_the_stream_ending(autojump_clock: Clock) -> None:
    def nals(number: int, *, is_key: bool) -> list[bytes]:
        sets = [SPS, PPS] if number < 50 else [OTHER_SPS, OTHER_PPS]
        return [*sets, slice_of(number, key=True)] if is_key else [slice_of(number, key=False)]

    camera = Liar(script(), Film(nals=nals))
    async with shown(camera) as show:
        await trio.sleep(1)
        before = show.source.stream.format
        assert before is not None
        assert (before.width, before.height) == (640, 360)
        await trio.sleep(2)
        after = show.source.stream.format
        assert after is not None
        assert (after.width, after.height) == (1920, 1080)
        show.assert_whole(PICTURES)
        assert [OTHER_SPS in frame.nals for frame in show.frames if frame.is_key] == [False, False, True]
        assert len(camera.dialled) == 1


@pytest.mark.parametrize("way", ["tcp", "udp"])
async def test_an_encoder_that_begins_anew_with_another_ssrc(
    way: str, certificate: Certificate, autojump_clock: Clock
) -> None:
    """Sequence, timestamps and SSRC begin anew within a session; the key frame with which they do is not lost."""

    pictures: list[list[bytes]] = []

    def pack(nals: list[bytes]) -> list[Packet]:
        pictures.append(nals)
        packets = one_by_one(nals)
        if len(pictures) > 50:
            packets = [replace(packet, ssrc=99, ticks=12_345_678) for packet in packets]
        return packets

    async with over(way, Liar(script(), Film(pack=pack)), certificate) as show:
        await trio.sleep(SECONDS)
        show.assert_whole(PICTURES)


# What cannot be shown, in words.


async def test_intra_refresh_without_any_key_frame_is_told(autojump_clock: Clock) -> None:
    recovery_point = bytes.fromhex("0606018080")
    film = Film(nals=lambda number, is_key: [SPS, PPS, recovery_point, slice_of(number, key=False)])
    camera = Liar(script(), film)
    async with shown(camera) as show:
        await trio.sleep(40)
        assert show.frames == []
        assert show.words == [
            "the camera sent pictures for 30 s but no key frame: set its key-frame interval to 1-2 s,"
            " without intra refresh"
        ]
        assert show.source.needs_attention == "video"


# Clocks.

CLOCKS: dict[str, tuple[Callable[[float], float], int]] = {
    "drifts ahead": (lambda t: t * 1.0005, 0),
    "drifts behind": (lambda t: t * 0.9995, 0),
    "jumps an hour ahead": (lambda t: t + 3600 * (t >= 5), 1),
    "jumps an hour back": (lambda t: t - 3600 * (t >= 5), 1),
    "jumps half a second ahead": (lambda t: t + 0.5 * (t >= 5), 1),
    "jumps half a second back": (lambda t: t - 0.5 * (t >= 5), 1),
    "jumps each second": (lambda t: t + 1000 * int(t), 9),
    "stands still": (lambda t: 0.0, 0),
    "runs backward": (lambda t: -t, 0),
    "stops": (lambda t: min(t, 5.0), 0),
    "counts 12 pictures as 25": (lambda t: t * 2, 0),
}


@pytest.mark.parametrize("name", CLOCKS)
async def test_a_clock_that(name: str, autojump_clock: Clock) -> None:
    clock, jumps = CLOCKS[name]
    camera = Liar(script(), Film(clock=clock))
    async with shown(camera) as show:
        await trio.sleep(10)
        assert show.numbers[:240] == list(range(240))
        show.assert_on_time()
        assert show.source.statistics().clock_jumps == jumps
        assert show.words == []


def sender_report(ntp_s: float) -> bytes:
    return struct.pack("!BBHIIIIII", 0x80, 200, 6, VIDEO_SSRC, int(ntp_s), 0, 0, 0, 0)


@pytest.mark.parametrize(
    "report",
    [
        lambda t: sender_report(0),
        lambda t: sender_report(2**32 - 1 if int(t) % 2 else 3_900_000_000),
        lambda t: sender_report(2_208_988_800 - 5 * t),
        lambda t: sender_report(3_900_000_000 + t)[:20],
        lambda t: sender_report(3_900_000_000 + t) + bytes.fromhex("81ca000200ca3e7a01ff"),
        lambda t: sender_report(3_900_000_000 + t)[:4] + b"\0\0\0\x05" + sender_report(3_900_000_000 + t)[8:],
    ],
    ids=["zero", "steps to and fro", "1970, backward", "truncated", "with an open SDES", "of another SSRC"],
)
@pytest.mark.parametrize("way", ["tcp", "udp", "tls"])
async def test_sender_reports_with_a_time_of(
    report: Callable[[float], bytes], way: str, certificate: Certificate, autojump_clock: Clock
) -> None:
    await plays(Film(reports=report), script(), way, certificate)


async def test_b_frames_go_on_in_the_order_in_which_they_came(autojump_clock: Clock) -> None:
    order = [0, 3, 1, 2]
    film = Film(gop=24, shown=lambda number: 4 * (number // 4) + order[number % 4] if number else 0)
    camera = Liar(script(), film)
    async with shown(camera) as show:
        await trio.sleep(SECONDS)
        assert show.numbers[:PICTURES] == list(range(PICTURES))
        show.assert_on_time(0.2)
        assert sorted(frame.display_time for frame in show.frames) != [frame.display_time for frame in show.frames]
