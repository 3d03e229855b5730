"""Our side of TLS: a certificate and its key from files, taken anew when they change.

Connections that stand keep what they began with; new ones get the newest pair that was in order.
"""

import ssl
import warnings
from datetime import UTC, datetime
from pathlib import Path

import trio
from cryptography import x509

from camgate.base.errors import LocalError
from camgate.base.files import stamp_of
from camgate.base.log import get_logger

log = get_logger("serve.tls")

LOOK_S = 5.0
"""How often the files are looked at; who renews a certificate does so days before its end."""
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secret and authenticated only (RFC 9325 section 4.2). Those of 1.3 are all so."""


WAY_OUT = "name a certificate, and its key in tls_key or in the same file, without a password"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY_END = b"PRIVATE KEY-----"
_PASSWORD_MARKS = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


class CertificateUnusable(LocalError):
    """A certificate and key that cannot be served."""

    def __init__(self, certificate: str, key: str, reason: str) -> None:
        super().__init__(certificate, key, reason)
        self.certificate = certificate
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        files = f"{self.certificate} and {self.key}" if self.key else self.certificate
        return f"cannot use {files}: {self.reason}; {WAY_OUT}"


def load_context(certificate: str, key: str = "", *, protocols: tuple[str, ...] = ()) -> ssl.SSLContext:
    """Return what serves a certificate with its chain and its key, both in PEM. Raises CertificateUnusable.

    key: empty where it is in the certificate's file. protocols: for ALPN.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    try:
        # A password on the key would be asked for at the terminal.
        context.load_cert_chain(certificate, key or None, password=lambda: "")
    except OSError as exc:  # ssl.SSLError is one
        raise CertificateUnusable(certificate, key, _what_is_wrong(certificate, key, exc)) from exc
    return context


def _what_is_wrong(certificate: str, key: str, error: OSError) -> str:
    """Say which of the files is to blame, which OpenSSL leaves to guess."""
    first, second = (certificate, key) if key else ("it", "it")
    contents = []
    for file in (certificate, key or certificate):
        try:
            contents.append(Path(file).read_bytes())
        except OSError as exc:
            why = exc.strerror or str(exc)
            return f"{file} cannot be read: {why}" if key else why
    if _CERTIFICATE not in contents[0]:
        return f"{first} holds no certificate in PEM"
    if _KEY_END not in contents[1]:
        return f"{second} holds no private key in PEM"
    if any(mark in contents[1] for mark in _PASSWORD_MARKS):
        return "the key has a password"
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key is another certificate's"
    return "no certificate and key in PEM that fit"


class ServerTls:
    """The TLS of one listener. context: what the next handshake is to be made with."""

    def __init__(self, certificate: str, key: str = "", *, protocols: tuple[str, ...] = ()) -> None:
        """As for `load_context`. Raises CertificateUnusable."""
        self._files = certificate, key
        self._protocols = protocols
        self._stamp = self._look()
        self.context = load_context(certificate, key, protocols=protocols)
        self.expires_at = _look_at_dates(certificate)
        """In Unix seconds; None where the certificate cannot be read."""

    async def watch(self) -> None:
        """Take the files anew when they have changed, until cancelled."""
        while True:
            await trio.sleep(LOOK_S)
            self.refresh()

    def refresh(self) -> None:
        """Take the files anew if they have changed; what is wrong with them is logged, and the old pair kept."""
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        certificate, key = self._files
        try:
            self.context = load_context(certificate, key, protocols=self._protocols)
        except CertificateUnusable as error:
            log.error("the certificate has changed and cannot be used; the old one is kept", reason=str(error))
        else:
            log.info("the certificate has changed and is used from now on", certificate=certificate)
            self.expires_at = _look_at_dates(certificate)

    def _look(self) -> tuple[object, ...]:
        return tuple(stamp_of(Path(file)) for file in self._files if file)


def _look_at_dates(certificate: str) -> float | None:
    """Return when a certificate expires, in Unix seconds; say so where browsers will refuse it already."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd serial numbers and the like
            first = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0]
            begins, ends = first.not_valid_before_utc, first.not_valid_after_utc
    except (OSError, ValueError):
        return None  # OpenSSL has read it, which is what counts
    now = datetime.now(UTC)
    if now >= ends:
        log.warning("the certificate has expired; renew it", certificate=certificate, ended=f"{ends:%Y-%m-%d}")
    elif now < begins:
        sentence = "the certificate does not hold yet; set this machine's clock, or wait"
        log.warning(sentence, certificate=certificate, begins=f"{begins:%Y-%m-%d}")
    return ends.timestamp()
