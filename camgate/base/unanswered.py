"""What is wrong where a camgate was asked and does not answer as one, in words for whoever asked."""

import os
import socket
import ssl
from collections.abc import Iterator


def why_unanswered(name: str, error: BaseException) -> str:
    """Return a sentence without its full stop. name: what the camgate is called; error: of the connection to it."""
    seen = list(_causes(error))
    for each in seen:
        if isinstance(each, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({each.verify_message}); SSL_CERT_FILE names one that is"
            return f"camgate at {name}: {why}"
        if isinstance(each, ssl.SSLError) and each.reason == "WRONG_VERSION_NUMBER":
            return f"camgate at {name} speaks no HTTPS there; write http://, or another port"
    for each in seen:
        if isinstance(each, PermissionError):
            return f"{name} is for root, camgate's own user and the group camgate: be one of them, or use --url"
    reason = next((words for each in seen if isinstance(each, OSError) and (words := _reason(each))), "")
    return f"camgate at {name} does not answer" + (f": {reason}" if reason else "")


def no_camgate(name: str) -> str:
    """Say that something else answers there."""
    return f"what answers at {name} is no camgate"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and all that it came from."""
    yield error
    for each in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield from _causes(each)
    if (cause := error.__cause__ or error.__context__) is not None:
        yield from _causes(cause)


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS fails ({(error.reason or 'unknown').lower().replace('_', ' ')})"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return (error.strerror or "").lower()
    return os.strerror(error.errno).lower()  # trio's `strerror` repeats the address
