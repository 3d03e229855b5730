import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtsp.errors import LostSync, MalformedMessage
from camgate.wire.rtsp.interleaved import (
    MAX_GARBAGE_BYTES_PER_MINUTE,
    MAX_RESYNCS_PER_MINUTE,
    InterleavedReader,
    interleave,
)
from camgate.wire.rtsp.message import MAX_HEAD_BYTES, Message, Request, Response

RTP = b"\x80\xe0" + bytes(range(64))
RTCP = b"\x80\xc9\x00\x01\x01\x02\x03\x04"
OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
WITH_BODY = b"RTSP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n$\x00\x00\x04RTSP/"
OPTIONS = b"OPTIONS rtsp://192.0.2.1/live RTSP/1.0\r\nCSeq: 7\r\n\r\n"
LARGEST = b"\x80\x60" + bytes(65_533)


def make_reader(*channels: int) -> InterleavedReader:
    reader = InterleavedReader()
    reader.channels |= set(channels or (0, 1))
    return reader


def read(reader: InterleavedReader, *pieces: bytes, now: float = 0.0) -> list[Message]:
    messages = []
    for piece in pieces:
        reader.receive_data(piece)
        while (message := reader.next_message_untrusted(now)) is not None:
            messages.append(message)
    return messages


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


PARTS = st.lists(
    st.sampled_from(
        [
            (interleave(0, RTP), (0, RTP)),
            (interleave(1, RTCP), (1, RTCP)),
            (interleave(0, b""), (0, b"")),
            (OK, 200),
            (WITH_BODY, 200),
            (OPTIONS, "OPTIONS"),
            (b"\r\n", None),
            (b"\n\r\n\n", None),
        ]
    )
)


def name(message: Message) -> int | str:
    return message.method if isinstance(message, Request) else message.status


@given(PARTS, st.data())
def test_frames_and_messages_at_any_boundary_in_any_pieces(
    parts: list[tuple[bytes, tuple[int, bytes] | int | str | None]], data: st.DataObject
) -> None:
    stream = b"".join(part for part, _ in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    reader = make_reader()
    messages = read(reader, *[stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)])
    assert reader.take_packets() == [meaning for _, meaning in parts if isinstance(meaning, tuple)]
    assert [name(message) for message in messages] == [
        meaning for _, meaning in parts if isinstance(meaning, int | str)
    ]
    assert (reader.resyncs, reader.garbage_bytes, reader.offset) == (0, 0, len(stream))


def test_the_largest_frame_goes_through_whole_and_byte_by_byte() -> None:
    for pieces in ([interleave(0, LARGEST) + OK], one_by_one(interleave(0, LARGEST) + OK)):
        reader = make_reader()
        assert len(read(reader, *pieces)) == 1
        assert reader.take_packets() == [(0, LARGEST)]


def test_the_buffer_of_received_bytes_may_be_reused() -> None:
    buffer = bytearray(interleave(0, RTP))
    reader = make_reader()
    reader.receive_data(memoryview(buffer))
    buffer[:] = bytes(len(buffer))
    assert reader.next_message_untrusted(0.0) is None
    assert reader.take_packets() == [(0, RTP)]


def test_packets_are_taken_once_and_counted() -> None:
    reader = make_reader()
    read(reader, interleave(0, RTP) * 3)
    assert len(reader.take_packets()) == 3
    assert reader.take_packets() == []
    assert reader.packets_received == 3


def test_unknown_channels_are_counted_and_skipped() -> None:
    reader = make_reader(0)
    read(reader, interleave(7, RTP) + interleave(0, RTP) + interleave(9, b""))
    assert reader.take_packets() == [(0, RTP)]
    assert reader.unknown_channel_packets == 2
    assert reader.resyncs == 0


def test_a_channel_added_at_a_message_counts_from_the_next_frame_on() -> None:
    reader = InterleavedReader()
    reader.receive_data(interleave(4, RTP) + OK + interleave(4, RTCP))
    assert reader.next_message_untrusted(0.0) is not None
    reader.channels.add(4)
    assert reader.next_message_untrusted(0.0) is None
    assert reader.take_packets() == [(4, RTCP)]


GARBAGE = [
    b"\x00",
    b"garbage",
    b"$\x07\x00\x01x"[1:],
    b"\x01$\x00",
    b"R\x00RT\x00RTSP/\x00RTSP/1.x\r\n",
    b"\x05OPTIONS",
    b"\x01\x02$\x00\x00\x08\x80\x00\x00\x00\x00\x00\x00\x00\x01",
    b"\xff$\x00\xff\xff\x80\x00",
    b"\xff$\x09\x00\x0c\x80" + bytes(11),
    b"\xff$\x00\x00\x07\x80" + bytes(6),
    b"\xff$\x00\x00\x0c\x40" + bytes(11),
    b"a GET / HTTP/1.1\r\n",
]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
def test_garbage_between_frames_is_skipped_and_counted(garbage: bytes, split) -> None:
    reader = make_reader()
    stream = OK + interleave(0, RTP) + garbage + interleave(1, RTCP) + interleave(0, RTP) * 1100 + OK
    messages = read(reader, *split(stream))
    assert len(messages) == 2
    assert reader.take_packets() == [(0, RTP), (1, RTCP)] + [(0, RTP)] * 1100
    assert reader.garbage_bytes == len(garbage)
    assert reader.resyncs == 1
    assert reader.offset == reader.bytes_received == len(stream)


def test_after_garbage_a_response_is_found() -> None:
    reader = make_reader()
    messages = read(reader, OK + b"\x00\x01" + OK + b"x\x00RTSP/1.0", b" 404 Not Found\r\n", b"\r\n")
    assert [name(message) for message in messages] == [200, 200, 404]
    assert reader.resyncs == 2


def test_without_channels_no_dollar_is_plausible() -> None:
    reader = InterleavedReader()
    assert len(read(reader, b"\x00" + interleave(0, RTP) + OK)) == 1
    assert reader.garbage_bytes == 1 + 4 + len(RTP)


@pytest.mark.parametrize("seed", range(50))
def test_a_frame_cut_short_costs_one_frame_of_the_largest_size_at_most(seed: int) -> None:
    rng = random.Random(seed)
    packets = [b"\x80\x60" + rng.randbytes(rng.randrange(10, 1400)) for _ in range(300)]
    frames = [interleave(0, packet) for packet in packets]
    frames[10] = frames[10][: rng.randrange(len(frames[10]))] + rng.randbytes(rng.randrange(1, 300))
    reader = make_reader()
    read(reader, OK, *frames, OK)
    received = [packet for _, packet in reader.take_packets()]
    assert received[:10] == packets[:10]
    lost = sum(len(packet) for packet in set(packets) - set(received))
    assert lost < 70_000
    assert received[-100:] == packets[-100:]


def test_too_many_resyncs_end_it() -> None:
    reader = make_reader()
    spoiled = b"\x00" + interleave(0, RTP) * 2
    read(reader, OK, *[spoiled] * MAX_RESYNCS_PER_MINUTE, OK)
    with pytest.raises(LostSync, match=f"31 bytes skipped in {MAX_RESYNCS_PER_MINUTE + 1} places") as caught:
        read(reader, spoiled)
    assert caught.value.offset > 0


def test_resyncs_are_forgiven_after_a_minute() -> None:
    reader = make_reader()
    spoiled = b"\x00" + interleave(0, RTP) * 2
    for minute in range(3):
        read(reader, OK, *[spoiled] * MAX_RESYNCS_PER_MINUTE, OK, now=60.0 * minute)
    assert reader.resyncs == 3 * MAX_RESYNCS_PER_MINUTE


def test_endless_garbage_ends_it() -> None:
    reader = make_reader()
    read(reader, OK)
    with pytest.raises(LostSync):
        read(reader, *[b"\x00" * 1024] * (MAX_GARBAGE_BYTES_PER_MINUTE // 1024 + 1))


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1"),
    ],
)
@pytest.mark.parametrize("split", [lambda data: [data], one_by_one], ids=["whole", "bytes"])
def test_a_peer_of_another_protocol_is_quoted(greeting: bytes, said: str, split) -> None:
    with pytest.raises(MalformedMessage, match=f"does not speak RTSP but says: {said}") as caught:
        read(make_reader(), *split(greeting))
    assert caught.value.offset == 0


def test_rest_of_an_older_session_before_the_first_answer_is_skipped() -> None:
    # Old live555 writes a dead session's media into a connection that got the same file descriptor (retina#17).
    reader = make_reader()
    assert len(read(reader, *one_by_one(RTP[3:] + interleave(0, RTP) + OK))) == 1
    assert reader.resyncs == 1


def test_a_first_reason_phrase_may_hold_any_bytes() -> None:
    (message,) = read(InterleavedReader(), *one_by_one("RTSP/1.0 401 Não autorizado\r\n\r\n".encode()))
    assert isinstance(message, Response)
    assert message.status == 401


@pytest.mark.parametrize(
    "head",
    [
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * (MAX_HEAD_BYTES // 6 + 1),
        b"RTSP/1.0 200 " + b"x" * MAX_HEAD_BYTES,
        b"OPTIONS rtsp://" + b"x" * MAX_HEAD_BYTES,
    ],
)
def test_heads_have_a_limit(head: bytes) -> None:
    with pytest.raises(MalformedMessage, match="no end of headers"):
        read(make_reader(), OK, head)


def test_a_start_line_that_never_ends_is_garbage_while_searching() -> None:
    reader = make_reader()
    read(reader, OK, b"\x00RTSP/1.0 200 ", b"x" * MAX_HEAD_BYTES)
    read(reader, interleave(0, RTP) * 2, OK)
    assert reader.take_packets() == [(0, RTP)] * 2


def test_bad_lengths_name_the_place() -> None:
    with pytest.raises(
        MalformedMessage, match=r"Content-Length is not a number \(at byte 28 of the connection\)"
    ) as caught:
        read(make_reader(), OK, b"RTSP/1.0 200 OK\r\nContent-Length: x\r\n\r\n")
    assert caught.value.offset == len(OK)


@pytest.mark.parametrize(
    "line",
    [b"A" + b" " * 16_000 + b"\x01", b"A b" + b" " * 16_000 + b"\x01", b"RTSP/1.0" + b" " * 16_000 + b"\x01"],
)
def test_lines_of_spaces_cost_linear_time(line: bytes) -> None:
    reader = make_reader()
    started = time.process_time()
    read(reader, OK, line, b"\x00" * 2, OK)
    # Quadratic matching takes seconds here, linear a fraction of a millisecond.
    assert time.process_time() - started < 1.0
