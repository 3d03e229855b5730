from camgate.load.sending import SendingMeter


def test_frames_add_up_and_the_worst_delay_is_told_once() -> None:
    sending = SendingMeter()
    sending.note(0.002, 5_000, 0.004)
    sending.note(0.010, 50_000, 0.030)
    sending.note(0.001, 5_000, 0.003)
    assert (round(sending.busy_s, 6), sending.bytes) == (0.013, 60_000)
    assert sending.take_worst_delay_s() == 0.030
    assert sending.take_worst_delay_s() == 0.0
