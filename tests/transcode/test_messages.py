"""Messages survive being cut anywhere; nonsense is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.transcode.messages import MAX_MESSAGE_BYTES, Counts, Kind, Media, MessageReader, WorkerTalksNonsense, pack

MEDIA = st.builds(
    Media,
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.booleans(),
    st.lists(st.binary(max_size=50), max_size=4),
    st.booleans(),
)


@given(st.lists(MEDIA, max_size=4), st.integers(1, 40))
def test_frames_come_through_however_they_are_cut(frames: list[Media], size: int) -> None:
    data = b"".join(media.pack() for media in frames)
    reader, seen = MessageReader(), []
    for at in range(0, len(data), size):
        reader.receive_data(data[at : at + size])
        while (message := reader.next_message()) is not None:
            seen.append(message)
    assert [kind for kind, _ in seen] == [Kind.MEDIA] * len(frames)
    assert [Media.unpack(body) for _, body in seen] == frames


@given(st.binary(max_size=60))
def test_any_body_is_a_frame_or_refused(body: bytes) -> None:
    try:
        media = Media.unpack(body)
    except WorkerTalksNonsense:
        return
    assert Media.unpack(media.pack()[5:]) == media


def test_counts_come_through() -> None:
    counts = Counts(frames=5, broken=1, decoded=4, encoded=3, skipped=2)
    assert Counts.unpack(counts.pack()) == counts
    with pytest.raises(WorkerTalksNonsense):
        Counts.unpack(b"1")


@pytest.mark.parametrize("head", [b"\x00\0\0\0\0", b"\xff\0\0\0\0", pack(Kind.PICTURE)[:1] + b"\xff\xff\xff\xff"])
def test_nonsense_is_noticed_at_its_head(head: bytes) -> None:
    reader = MessageReader()
    reader.receive_data(head)
    with pytest.raises(WorkerTalksNonsense, match="no message"):
        reader.next_message()
    assert MAX_MESSAGE_BYTES < 0xFFFFFFFF
