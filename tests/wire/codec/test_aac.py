from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.codec.aac import MAX_UNITS, AacReader, AuHeaders, strip_adts
from camgate.wire.codec.audio import MAX_FRAME_BYTES, Pieces
from camgate.wire.codec.errors import AudioMalformed
from tests.fakes.bits import BitWriter

TICKS = 1024
UNITS = st.lists(st.binary(min_size=1, max_size=40).filter(lambda unit: unit[0] != 0xFF), min_size=1, max_size=6)


def pack(units: list[bytes], headers: AuHeaders | None = None, *, sizes: list[int] | None = None) -> bytes:
    """Return a payload of RFC 3640; every optional field is there."""
    headers = headers or AuHeaders()
    bits = BitWriter()
    for place, unit in enumerate(units):
        bits.u(headers.size, sizes[place] if sizes else len(unit))
        bits.u(headers.index_delta if place else headers.index, 0)
        for field in (headers.cts_delta, headers.dts_delta):
            if field:
                bits.flag(True).u(field, 1)
        bits.u(headers.random_access + headers.stream_state, 0)
    count = sum(map(len, bits._bits))
    head = count.to_bytes(2, "big") + bits.aligned() if headers.are_there else b""
    if headers.auxiliary:
        head += BitWriter().u(headers.auxiliary, 5).u(5, 31).aligned()
    return head + b"".join(units)


def read(reader: AacReader, payload: bytes, timestamp: int = 0, *, mark: bool = True, gap: bool = False) -> Pieces:
    return tuple(reader.read_untrusted(payload, timestamp, is_marked=mark, follows_gap=gap))


def adts(frame: bytes, *, crc: bool = False) -> bytes:
    size = 7 + 2 * crc + len(frame)
    head = BitWriter().u(12, 0xFFF).u(3, 0).flag(not crc).u(14, 0x1400).u(13, size).u(13, 0)
    return head.aligned() + bytes(2 * crc) + frame


@given(
    UNITS,
    st.sampled_from(
        [
            AuHeaders(),
            AuHeaders(size=6, index=2, index_delta=2),
            AuHeaders(size=16, index=0, index_delta=0),
            AuHeaders(cts_delta=5, dts_delta=7, random_access=True, stream_state=3, auxiliary=8),
        ]
    ),
)
def test_every_access_unit_comes_out_at_its_time(units: list[bytes], headers: AuHeaders) -> None:
    pieces = read(AacReader(headers, TICKS), pack(units, headers), 0xFFFFFC00)
    assert pieces == tuple((unit, 0xFFFFFC00 + TICKS * place & 0xFFFFFFFF) for place, unit in enumerate(units))


def test_units_of_one_size_need_no_sizes() -> None:
    headers = AuHeaders(size=0, index=0, index_delta=0, constant_size=3)
    assert not headers.are_there
    assert read(AacReader(headers, TICKS), b"abcdef") == ((b"abc", 0), (b"def", TICKS))
    alone = AuHeaders(size=0, index=0, index_delta=0)
    assert read(AacReader(alone, TICKS), b"abcdef") == ((b"abcdef", 0),)
    indexed = AuHeaders(size=0, index=8, index_delta=8)
    assert read(AacReader(indexed, TICKS), pack([b"abc", b"def"], indexed)) == ((b"abc", 0), (b"def", TICKS))


@pytest.mark.parametrize(
    ("fmtp", "expected"),
    [
        ({}, AuHeaders()),
        ({"mode": "AAC-hbr"}, AuHeaders()),
        ({"mode": "AAC-hbr", "sizelength": "13", "indexlength": "3", "indexdeltalength": "3"}, AuHeaders()),
        ({"sizelength": "13"}, AuHeaders()),
        ({"mode": "AAC-lbr"}, AuHeaders(size=6, index=2, index_delta=2)),
        ({"sizelength": "16"}, AuHeaders(size=16, index=0, index_delta=0)),
        ({"constantsize": "300"}, AuHeaders(size=0, index=0, index_delta=0, constant_size=300)),
        ({"auxiliarydatasizelength": "8"}, AuHeaders(auxiliary=8)),
    ],
)
def test_what_the_session_description_leaves_out(fmtp: dict[str, str], expected: AuHeaders) -> None:
    assert AuHeaders.of_fmtp_untrusted(fmtp) == expected


@pytest.mark.parametrize(
    "fmtp", [{"mode": "CELP-cbr"}, {"sizelength": "-1"}, {"sizelength": "33"}, {"indexlength": "²"}]
)
def test_what_is_no_aac_is_refused(fmtp: dict[str, str]) -> None:
    with pytest.raises(AudioMalformed):
        AuHeaders.of_fmtp_untrusted(fmtp)


def parts(unit: bytes, *cuts: int) -> list[bytes]:
    places = [0, *cuts, len(unit)]
    return [pack([unit[a:b]], sizes=[len(unit)]) for a, b in pairwise(places)]


def test_a_unit_in_parts_is_put_together() -> None:
    reader, unit = AacReader(AuHeaders(), TICKS), bytes(range(1, 100))
    first, second, third = parts(unit, 40, 80)
    assert read(reader, first, 7, mark=False) == ()
    assert read(reader, second, 7, mark=False) == ()
    assert read(reader, third, 7) == ((unit, 7),)


def test_parts_of_different_units_are_never_mixed() -> None:
    reader, unit = AacReader(AuHeaders(), TICKS), bytes(range(1, 100))
    first, second, third = parts(unit, 40, 80)
    # The end is lost, then a middle, then a beginning.
    assert read(reader, first, 7, mark=False) == ()
    assert read(reader, first, 8, mark=False, gap=True) == ()
    assert read(reader, third, 8, gap=True) == ()
    with pytest.raises(AudioMalformed, match="not enough"):
        read(reader, second + third[4:], 9, gap=True)
    assert [read(reader, part, 10, mark=part is third) for part in (first, second, third)] == [(), (), ((unit, 10),)]
    assert read(reader, first, 11, mark=False) == ()
    assert read(reader, pack([b"whole"]), 12) == ((b"whole", 12),)
    with pytest.raises(AudioMalformed, match="not enough"):
        read(reader, third, 13)


@pytest.mark.parametrize("crc", [False, True])
def test_adts_headers_are_taken_off(crc: bool) -> None:
    unit = adts(b"first", crc=crc) + adts(b"second", crc=crc)
    assert list(strip_adts(unit)) == [b"first", b"second"]
    reader = AacReader(AuHeaders(), TICKS)
    assert read(reader, pack([unit])) == ((b"first", 0), (b"second", TICKS))
    many = adts(b"x") * MAX_UNITS
    assert len(read(reader, pack([many]))) == MAX_UNITS
    with pytest.raises(AudioMalformed, match="more than 256 access units"):
        read(reader, pack([many + adts(b"x")]))
    # With a length that cannot be, the rest is the frame.
    assert list(strip_adts(adts(b"first")[:-1])) == [b"firs"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\0\0abc", "AU headers of 0 bits"),
        (b"\xff\xff" + bytes(20), "AU headers of 65535 bits"),
        (b"\0", "AU headers of 0 bits"),
        (b"\0\x08\x08abc", "ends too early"),
        (pack([b"ab", b"cd"], sizes=[2, 9]), "9 bytes where 2 are left"),
        (pack([bytes(10)], sizes=[8191]), None),
    ],
)
def test_what_cannot_be_read_is_said(payload: bytes, reason: str | None) -> None:
    reader = AacReader(AuHeaders(), TICKS)
    if reason is None:
        assert read(reader, payload, mark=False) == ()
        return
    with pytest.raises(AudioMalformed, match=reason):
        read(reader, payload)


def test_headers_of_no_bits_are_not_read_for_ever() -> None:
    headers = AuHeaders.of_fmtp_untrusted({"constantsize": "3", "indexlength": "4"})
    reader = AacReader(headers, TICKS)
    assert read(reader, b"\0\x04\x00abc") == ((b"abc", 0),)
    with pytest.raises(AudioMalformed, match="have no bits"):
        read(reader, b"\0\x08\x00abcdef")


def test_a_packet_of_very_many_units_is_not_read() -> None:
    headers = AuHeaders(size=1, index=0, index_delta=0)
    most = pack([b"a"] * MAX_UNITS, headers)
    assert len(read(AacReader(headers, TICKS), most)) == MAX_UNITS
    even = AuHeaders(size=0, index=0, index_delta=0, constant_size=1)
    for reader, payload in (
        (AacReader(headers, TICKS), pack([b"a"] * (MAX_UNITS + 1), headers)),
        (AacReader(even, TICKS), bytes(MAX_UNITS + 1)),
    ):
        with pytest.raises(AudioMalformed, match="more than 256 access units"):
            read(reader, payload)


def test_a_unit_that_is_too_long_is_not_collected() -> None:
    headers = AuHeaders(size=20, index=0, index_delta=0)
    with pytest.raises(AudioMalformed, match="are accepted"):
        read(AacReader(headers, TICKS), pack([b"ab"], headers, sizes=[MAX_FRAME_BYTES + 1]), mark=False)
    alone: Any = AuHeaders(size=0, index=0, index_delta=0)
    with pytest.raises(AudioMalformed, match="are accepted"):
        read(AacReader(alone, TICKS), bytes(MAX_FRAME_BYTES + 1))
