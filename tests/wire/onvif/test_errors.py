from camgate.wire.onvif.errors import OnvifFault


def test_a_fault_in_words_of_the_camera_is_fit_to_be_shown() -> None:
    assert str(OnvifFault(("Sender", "A\n"), "no\x1b[31m")) == (
        "the camera's ONVIF service refuses: no?[31m (Sender A?)"
    )
    assert str(OnvifFault(("",), "")) == "the camera's ONVIF service refuses: without a reason (no code)"
