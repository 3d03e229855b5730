"""Problem documents: their shape, and that docs/http.md tells of every kind."""

from pathlib import Path

import pytest

import camgate
from camgate.base.errors import RemoteError
from camgate.relay.errors import CameraOffline, ViewerError
from camgate.serve.http.messages import BadMessage
from camgate.serve.http.problem import Problem, kind_of
from camgate.serve.http.signaling import TooManyOnSocket
from camgate.serve.http.whep import BadWait, IfMatchRequired


def kinds(error_class: type[ViewerError] = ViewerError) -> set[str]:
    return {kind_of(sub) for sub in error_class.__subclasses__()}.union(*map(kinds, error_class.__subclasses__()))


def test_a_status_alone_is_about_blank() -> None:
    problem = Problem.of_status(418, X_Tea="yes")
    assert problem.members()["type"] == "about:blank"
    assert problem.members()["title"] == "I'm a Teapot"
    assert ("X-Tea", "yes") in problem.header_items()
    assert Problem.of_status(599).members()["title"] == "Status 599"


def test_a_viewers_error_has_a_kind_and_a_time_to_come_back() -> None:
    problem = Problem.of_error(CameraOffline("front", None, retry_after_s=0.2))
    assert problem.members()["type"] == "urn:camgate:problem:camera-offline"
    assert problem.members()["retry_after"] == 1, "whole seconds, as in the header"
    # RFC 9110 section 10.2.3: whole seconds, and never "at once".
    assert ("retry-after", "1") in problem.header_items()


def test_other_remote_errors_tell_their_sentence() -> None:
    assert Problem.of_error(RemoteError("The camera said no.")).members() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "The camera said no.",
    }


def test_the_kinds_are_all_known() -> None:
    assert {kind_of(error) for error in (BadMessage, BadWait, IfMatchRequired, TooManyOnSocket)} <= kinds()


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_documentation_tells_of_every_kind(kind: str) -> None:
    text = (Path(camgate.__file__).parents[1] / "docs" / "http.md").read_text()
    assert f"`{kind}`" in text
