"""Whatever a camera shows as its certificate, there are words for it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from camgate.ingest.certificate import describe_certificate_untrusted, fingerprint
from tests.fakes.certificates import make_certificate
from tests.fuzz.reach import Reach


def test_certificate_fuzz(tmp_path: Path) -> None:
    valid = make_certificate(tmp_path).der
    reach = Reach("certificate")

    # In place: with a byte more or less hardly anything of a DER encoding still fits together.
    places = st.integers(0, len(valid) - 1)

    @given(st.dictionaries(places, st.integers(0, 255), max_size=4), places)
    def fuzz(spoiled: dict[int, int], end: int) -> None:
        data = bytearray(valid if end % 4 else valid[:end])
        for at, value in spoiled.items():
            data[at : at + 1] = bytes((value,))
        words = describe_certificate_untrusted(bytes(data))
        assert words.endswith(f"fingerprint {fingerprint(bytes(data))}")
        assert words.isprintable()
        reach.seen(not words.startswith("malformed"))

    fuzz()
    reach.check()
