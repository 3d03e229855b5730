"""Valid inputs spoiled in a few places: they get past first checks, where random bytes never do."""

from collections.abc import Sequence

from hypothesis import strategies as st

INTERESTING = [
    b"",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b":",
    b";",
    b"=",
    b",",
    b'"',
    b"\\",
    b"$",
    b"\0",
    b"\xff",
    b"@",
    b"/",
    b"-1",
    b"9" * 20,
]


@st.composite
def spoiled(draw: st.DrawFn, valid: bytes, tokens: Sequence[bytes] = ()) -> bytes:
    """Replace up to four short pieces of `valid` by tokens, random bytes, or other pieces of it."""
    data = valid
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 12)))
        other = draw(st.integers(0, len(data)))
        piece = draw(
            st.one_of(
                st.sampled_from([*INTERESTING, *tokens]), st.binary(max_size=6), st.just(data[other : other + 40])
            )
        )
        data = data[:start] + piece + data[stop:]
    return data
