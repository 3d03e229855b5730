import pytest

from camgate.relay import errors


@pytest.mark.parametrize(
    ("error", "status", "retry_after_s", "words"),
    [
        (errors.UnknownCamera("frnt"), 404, None, "no camera 'frnt'; the names are listed at /api/v1/cameras"),
        (errors.CameraOffline("front", "connection refused", retry_after_s=2), 503, 2, "(connection refused); try"),
        (errors.CameraOffline("front", None, retry_after_s=2), 503, 2, "sends no pictures; try again in 2 s"),
        (errors.TooManyViewers(1000, retry_after_s=5), 503, 5, "All 1000 viewer places"),
        (
            errors.MachineAtLimit("max_load", "processor load", 0.9134, 0.85, retry_after_s=7),
            503,
            7,
            "processor load 0.913 where 0.85 is allowed (limits.max_load); try again in 7 s",
        ),
        (errors.TooManyJoins(200, retry_after_s=3), 503, 3, "200 steps of other viewers' joins wait"),
        (errors.BadOffer("it has no ICE password"), 400, None, "it has no ICE password"),
        (errors.NoCommonCodec("H264", ["VP8", "VP9"]), 406, None, "sends H264, the browser takes VP8, VP9; use"),
        (errors.NoCommonCodec("H264", []), 406, None, "takes no video codec"),
        (
            errors.NoSnapshot("front", "it is dark", retry_after_s=2),
            503,
            2,
            "camera 'front': it is dark; try again in 2 s",
        ),
        (errors.TooManyTranscoders(4, retry_after_s=10), 503, 10, "all 4 places for transcoding are taken"),
        (errors.TooManySnapshots(64, retry_after_s=2), 503, 2, "64 other snapshots wait"),
        (errors.BadWidth(16, 8192), 400, None, "a whole number from 16 to 8192; leave it out"),
        (errors.UnknownSession("s1"), 404, None, "no viewer session 's1'"),
        (errors.PreconditionFailed('"old"', '"new"'), 412, None, 'the present ICE session, "new"'),
        (errors.UnprocessableFragment("it has no ufrag"), 422, None, "it has no ufrag"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_viewers_read(error: errors.ViewerError, status: int, retry_after_s: float | None, words: str) -> None:
    assert (error.status, error.retry_after_s) == (status, retry_after_s)
    assert words in str(error)
    assert error.title


def test_a_long_name_is_not_repeated_whole() -> None:
    assert len(str(errors.UnknownCamera("x" * 100_000))) < 200
