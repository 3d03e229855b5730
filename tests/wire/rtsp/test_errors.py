import inspect

from camgate.base.errors import LocalError, RemoteError
from camgate.wire.rtsp import errors
from camgate.wire.rtsp.errors import (
    AuthenticationFailed,
    AuthenticationProblem,
    MalformedMessage,
    printable,
    printable_list,
)


def test_every_error_belongs_to_a_family() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert kinds
    assert all(issubclass(kind, LocalError | RemoteError) for kind in kinds)


def test_peer_words_are_cut_and_cleaned() -> None:
    assert printable("a\r\nb\x1b[31m\x00é日") == "a??b?[31m?é日"
    assert len(printable("x" * 1000)) == 80


def test_lists_of_a_peer_are_cut_and_cleaned_too() -> None:
    assert printable_list([]) == "nothing"
    assert printable_list(["a\x1b", "b", "a\x1b"]) == "a?, b"
    assert printable_list(["H265", "JPEG"], " and ") == "H265 and JPEG"
    assert len(printable_list(f"{number} " + "x" * 1000 for number in range(1000))) < 700


def test_places_are_told_where_known() -> None:
    assert str(MalformedMessage("bad")) == "malformed RTSP: bad"
    assert str(MalformedMessage("bad", 7)) == "malformed RTSP: bad (at byte 7 of the connection)"


def test_every_login_problem_has_words() -> None:
    texts = [str(AuthenticationFailed(problem, "PLAY", ["digest"])) for problem in AuthenticationProblem]
    assert texts == [
        "the camera wants user name and password, and none are given (401 to PLAY)",
        "wrong user name or password (401 to PLAY)",
        "the camera offers no way to log in that camgate knows (401 to PLAY; it offers digest)",
    ]
