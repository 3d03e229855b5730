"""RTSPS: TLS on a connection to a camera (RFC 7826, 19.2), read and written without waiting like a plain socket.

A read takes what the socket has in one system call and decodes all of it; OpenSSL on the socket itself would make two
calls a record. Whoever holds a `TlsLink` owns the connection.
"""

import socket
import ssl
from contextlib import suppress
from functools import cache
from typing import Any

import trio

from camgate.config.model import CameraSettings
from camgate.ingest.certificate import describe_certificate_untrusted, fingerprint
from camgate.ingest.errors import CertificateRefused, TlsFailed

RAW_BYTES = 192 * 1024
"""Read at once; with what is left of a record before, it decodes to less than a session's buffer."""

_raw = memoryview(bytearray(RAW_BYTES))
"""Shared by all links, as the session's own buffer is."""

CIPHERS = "DEFAULT"
"""OpenSSL's own, which still have CBC and RSA key exchange behind what is better: cameras of 2015 know nothing else."""


class TlsLink:
    """A `Link` over TLS, after the handshake that `open_tls` makes."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._connection = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # RFC 6066, 3: the name goes with the handshake (SNI), addresses do not; ssl knows the difference.
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._unsent = b""

    async def handshake(self) -> None:
        """Agree on keys, and check the certificate where the context says so. Raises ssl.SSLError, OSError."""
        while True:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                await self._send_all()
                await self._receive_more()
            finally:
                # What is left is our last words: the end of the handshake, or an alert that tells what is wrong.
                with suppress(OSError):
                    self._flush()

    def certificate(self) -> bytes:
        """Return the camera's certificate in DER; empty where it showed none."""
        return self._tls.getpeercert(binary_form=True) or b""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._connection.fileno()

    def recv_into(self, buffer: memoryview, /) -> int:
        """Read once, and decode all of it; see `Link`."""
        count = self._connection.recv_into(_raw)
        if count:
            self._incoming.write(_raw[:count])
        else:
            self._incoming.write_eof()
        decoded = 0
        try:
            while decoded < len(buffer) and (size := self._decode(buffer[decoded:])):
                decoded += size
        except ssl.SSLWantReadError:
            self._flush()
            if not decoded:
                raise BlockingIOError from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # A goodbye, or none: cameras cut the connection without close_notify, and RTSP tells its own end.
            pass
        return decoded

    def send(self, data: bytes, /) -> int:
        """Encode and send; what the socket does not take goes out with the next read or send. See `Link`."""
        self._flush()
        if self._unsent:
            raise BlockingIOError
        self._tls.write(data)
        self._flush()
        return len(data)

    def shutdown(self, how: int, /) -> None:
        """Say close_notify and end the sending side."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        self._connection.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        trio.lowlevel.notify_closing(self._connection)
        self._connection.close()

    def _decode(self, buffer: memoryview) -> int:
        """Decode the rest of a record, or the next one, into `buffer`; 0 after close_notify."""
        # typeshed has a signature for the way without a buffer only.
        size: Any = self._tls.read(len(buffer), buffer)
        return int(size)

    def _flush(self) -> None:
        self._unsent += self._outgoing.read()
        if self._unsent:
            with suppress(BlockingIOError):
                self._unsent = self._unsent[self._connection.send(self._unsent) :]

    async def _send_all(self) -> None:
        self._flush()
        while self._unsent:
            await trio.lowlevel.wait_writable(self._connection)
            self._flush()

    async def _receive_more(self) -> None:
        await trio.lowlevel.wait_readable(self._connection)
        data = self._connection.recv(RAW_BYTES)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


async def open_tls(connection: socket.socket, host: str, settings: CameraSettings) -> TlsLink:
    """Make a `TlsLink` of a connection to `host`, which is closed where that fails.

    Raises TlsFailed; CertificateRefused where the certificate is not the one that the settings ask for.
    """
    trusts_anyone = settings.tls_insecure or settings.tls_fingerprint is not None
    link = TlsLink(connection, unverified_context() if trusts_anyone else verified_context(), host)
    try:
        with trio.move_on_after(settings.connect_timeout_s) as patience:
            await link.handshake()
            _check_fingerprint(link.certificate(), settings.tls_fingerprint)
        if patience.cancelled_caught:
            raise TlsFailed(f"no answer within {settings.connect_timeout_s:g} s")
    except ssl.SSLCertVerificationError as error:
        link.close()
        raise CertificateRefused(error.verify_message.rstrip(".")) from error
    except OSError as error:
        link.close()
        raise TlsFailed(_reason(error)) from error
    except BaseException:
        link.close()
        raise
    return link


async def look_at_certificate(connection: socket.socket, host: str, timeout_s: float) -> str | None:
    """Return in words what certificate is shown on a connection, which is closed; None where none can be seen.

    Nothing is sent to who shows it but the handshake.
    """
    link = TlsLink(connection, unverified_context(), host)
    try:
        with trio.move_on_after(timeout_s):
            await link.handshake()
            return describe_certificate_untrusted(link.certificate())
    except OSError:
        pass
    finally:
        link.close()
    return None


@cache
def verified_context() -> ssl.SSLContext:
    """Trust what this machine trusts, under the name that was dialled. Made once, as it takes long."""
    return _set_up(ssl.create_default_context())


@cache
def unverified_context() -> ssl.SSLContext:
    """Trust anyone; the fingerprint, if there is one, is looked at afterwards."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _set_up(context)


def _set_up(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    return context


def _check_fingerprint(certificate: bytes, expected: str | None) -> None:
    if expected is not None and fingerprint(certificate) != expected:
        raise CertificateRefused(
            "it is not the one of tls_fingerprint", describe_certificate_untrusted(certificate), is_pinned=True
        )


def _reason(error: OSError) -> str:
    if not isinstance(error, ssl.SSLError):
        return f"the connection broke: {error.strerror}"
    if error.reason in ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
        return "what answers on this port does not speak TLS; give the port of the camera's RTSPS, or write rtsp://"
    if isinstance(error, ssl.SSLEOFError):
        return "the camera closed the connection instead of answering"
    return (error.reason or str(error)).lower().replace("_", " ")
