"""camgate shows RTSP cameras in browsers over WebRTC."""

from importlib.metadata import version

__version__ = version("camgate")
