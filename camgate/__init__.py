"""camgate shows RTSP cameras in browsers over WebRTC."""

__version__: str


def __getattr__(name: str) -> str:
    """Look `__version__` up when it is asked for: importing what that takes would double the time of a start."""
    if name == "__version__":
        from importlib.metadata import version

        return version("camgate")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
