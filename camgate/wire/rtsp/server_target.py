"""What the URL of a request names. Raises MalformedUrl where it is none."""

from urllib.parse import quote, unquote

from camgate.base.names import composed
from camgate.wire.rtsp.url import split_url_untrusted


def path_named(url: str) -> str:
    """Return the path, decoded and composed, without query and without slashes at its ends."""
    return composed(unquote(split_url_untrusted(_as_utf_8(url)).path.partition("?")[0]).strip("/"))


def query_of(url: str) -> str:
    """Return what stands behind the `?`, as it was sent; empty where there is none."""
    return split_url_untrusted(url).path.partition("?")[2]


def _as_utf_8(url: str) -> str:
    """Return a URL as it was meant: FFmpeg sends what its user has typed, and `message` takes bytes for latin-1."""
    try:
        return url.encode("latin-1").decode()
    except UnicodeError:
        return url


def aggregate_url(url: str, path: str) -> str:
    """Return the URL of the presentation at `path` by the host that `url` names, with a slash at its end."""
    parts = split_url_untrusted(url)
    return f"{parts.scheme}://{parts.authority}/{quote(path)}/"
