from camgate.wire.codec.frame import Frame


def test_a_frame_knows_its_size_and_says_what_it_is() -> None:
    frame = Frame((b"abc", b"de"), 90, 1.5, True)
    assert frame.size_bytes == 5
    assert repr(frame) == "<Frame key rtp_time=90 nals=2 bytes=5>"
    assert repr(Frame((), 0, 0.0, False)) == "<Frame rtp_time=0 nals=0 bytes=0>"
