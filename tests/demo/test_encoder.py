"""The encoder and the picture: what is drawn survives libx264 and comes back, one picture after the other."""

from collections.abc import Iterable

import av
import pytest

from camgate.demo.blocks import Blocks, read_blocks
from camgate.demo.encoder import GOP_S, EncodedPicture, Encoder
from camgate.demo.picture import Picture

WIDTH, HEIGHT, FPS = 640, 360, 10
NOON_S = 1_790_000_000.25


@pytest.fixture(scope="module")
def film() -> list[EncodedPicture]:
    """Three GOPs; the third picture is skipped, as one that came late would be."""
    encoder = Encoder(width=WIDTH, height=HEIGHT, fps=FPS)
    picture = Picture(encoder.canvas, name="garden", number=2, hue=(112, 116))
    pictures = []
    for frame, slot in enumerate([0, 1, *range(3, 3 * GOP_S * FPS + 1)]):
        picture.draw(frame, slot / FPS, NOON_S + slot / FPS)
        pictures.append(encoder.encode(slot))
    return pictures


def decode(pictures: Iterable[EncodedPicture]) -> list[av.VideoFrame]:
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    packets = [av.Packet(b"".join(b"\0\0\0\1" + nal for nal in picture.nals)) for picture in pictures]
    return [frame for packet in [*packets, None] for frame in decoder.decode(packet)]


def blocks(frame: av.VideoFrame) -> Blocks | None:
    return read_blocks(bytes(frame.planes[0]), width=frame.width, stride_bytes=frame.planes[0].line_size)


def test_the_counter_rises_by_one_in_every_decoded_picture(film: list[EncodedPicture]) -> None:
    read = [blocks(frame) for frame in decode(film)]
    assert [each and (each.frame, each.camera) for each in read] == [(frame, 2) for frame in range(len(film))]
    assert read[0]
    assert read[2]
    assert read[0].time_ms == int(NOON_S * 1000) % 2**32
    assert read[2].time_ms - read[0].time_ms == 300


def test_the_size_is_what_was_asked_for(film: list[EncodedPicture]) -> None:
    (frame,) = decode(film[:1])
    assert (frame.width, frame.height) == (WIDTH, HEIGHT)


def test_key_frames_come_at_their_time_and_carry_their_parameter_sets(film: list[EncodedPicture]) -> None:
    types = [[nal[0] & 0x1F for nal in picture.nals] for picture in film]
    assert [index for index, picture in enumerate(film) if picture.is_key] == [0, 20, 40]
    assert types[20] == [7, 8, 5]
    assert all(kinds == [1] for kinds, picture in zip(types, film, strict=True) if not picture.is_key)


def test_any_key_frame_is_a_place_to_start(film: list[EncodedPicture]) -> None:
    assert [each and each.frame for each in map(blocks, decode(film[20:23]))] == [20, 21, 22]


def test_the_profile_is_one_that_every_browser_decodes(film: list[EncodedPicture]) -> None:
    """Constrained baseline: profile_idc 66 with constraint_set1 (ITU-T H.264 A.2.1.1)."""
    sps = film[0].nals[0]
    assert sps[1] == 66
    assert sps[2] & 0x40
