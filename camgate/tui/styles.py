"""What means good, waiting and bad, in colours that terminals have."""

from camgate.tui.facts import LIVE, Camera

GOOD, WARNING, BAD, QUIET = "green", "yellow", "bold red", "bright_black"


def style_of(camera: Camera) -> str:
    """Return how to write a camera's state."""
    if camera.is_down:
        return WARNING if camera.state == "connecting" else BAD
    if camera.state != LIVE:
        return QUIET
    return WARNING if camera.is_healthy is False else GOOD


def style_of_level(level: str) -> str:
    """Return how to write a line of the log."""
    return {"WARNING": WARNING, "ERROR": BAD, "CRITICAL": BAD}.get(level, QUIET)
