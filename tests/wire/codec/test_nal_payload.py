"""What packing NAL units is for any codec, shown with one made up: a type in the header's only byte."""

from collections.abc import Sequence

import pytest

from camgate.base.errors import LocalError
from camgate.wire.codec.nal import FU_END, FU_START
from camgate.wire.codec.nal_payload import MIN_PAYLOAD_BYTES, Packing, packetize

SET, SLICE, NOISE, AGGREGATE, FRAGMENT = 1, 2, 3, 30, 31


def aggregate_header(nals: Sequence[bytes]) -> bytes:
    return bytes((AGGREGATE + 10 * len(nals),))


PACKING = Packing(1, lambda nal: nal[0], frozenset({SET}), aggregate_header, lambda _nal: bytes((FRAGMENT,)))
ONE, TWO, PICTURE = b"\x01a", b"\x01bc", b"\x02picture"


def pack(*nals: bytes, room: int = 20) -> list[bytes]:
    return packetize(PACKING, nals, room, frozenset({NOISE}))


def test_neighbouring_parameter_sets_share_an_aggregate() -> None:
    shared = b"\x32\0\2" + ONE + b"\0\3" + TWO
    assert pack(ONE, TWO, PICTURE) == [shared, PICTURE]
    assert pack(PICTURE, ONE, TWO) == [PICTURE, shared]
    assert pack(ONE, PICTURE, TWO) == [ONE, PICTURE, TWO]


def test_sets_that_do_not_fit_one_aggregate_go_alone() -> None:
    large = b"\x01" + bytes(15)
    assert pack(ONE, large) == [ONE, large]


def test_what_is_left_out_parts_no_sets() -> None:
    assert pack(ONE, b"\x03noise", TWO) == pack(ONE, TWO)
    assert pack(b"\x03noise") == []


def test_a_unit_of_any_type_that_does_not_fit_becomes_fragments() -> None:
    for kind in (SET, SLICE):
        nal = bytes((kind, *range(50)))
        parts = pack(nal)
        assert [part[:2] for part in parts] == [
            bytes((FRAGMENT, kind | FU_START)),
            bytes((FRAGMENT, kind)),
            bytes((FRAGMENT, kind | FU_END)),
        ]
        assert b"".join(part[2:] for part in parts) == nal[1:]
        assert max(map(len, parts)) <= 20


def test_a_bound_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(LocalError, match="at least 16, not 15"):
        pack(PICTURE, room=MIN_PAYLOAD_BYTES - 1)
