"""SOAP 1.2 envelopes: one request out, one reply or fault in, and the proof of a password in the header.

request = Request(action, body)
data = envelope(request, username_token("admin", "secret", nonce=nonce, created=now))
body = parse_reply_untrusted(data)
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from camgate.wire.onvif.errors import MalformedReply, OnvifFault
from camgate.wire.onvif.xml import Element, find, parse_xml_untrusted, text_of

SOAP = "http://www.w3.org/2003/05/soap-envelope"
CONTENT_TYPE = "application/soap+xml; charset=utf-8"

_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"
_SECURITY = f"{_WSS}-wssecurity-secext-1.0.xsd"
_UTILITY = f"{_WSS}-wssecurity-utility-1.0.xsd"
_DIGEST = f"{_WSS}-username-token-profile-1.0#PasswordDigest"
_BASE64 = f"{_WSS}-soap-message-security-1.0#Base64Binary"

_MAX_SUBCODES = 8


@dataclass(frozen=True, slots=True)
class Request:
    """One operation of a service.

    action: the URI that names it, for the Content-Type. body: its element, with its namespaces.
    """

    action: str
    body: str

    @property
    def name(self) -> str:
        """What people call it, such as `GetProfiles`."""
        return self.action.rpartition("/")[2]

    @property
    def content_type(self) -> str:
        """The header of the HTTP request."""
        return f'{CONTENT_TYPE}; action="{self.action}"'


def envelope(request: Request, header: str = "") -> bytes:
    """Return the message of a request. header: what `username_token` made; may be empty."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    text = f'<s:Envelope xmlns:s="{SOAP}">{head}<s:Body>{request.body}</s:Body></s:Envelope>'
    return b'<?xml version="1.0" encoding="utf-8"?>' + text.encode(errors="replace")


def username_token(username: str, password: str, *, nonce: bytes, created: datetime) -> str:
    """Return the WS-Security header that proves a password without showing it.

    nonce: 16 random bytes, never used before. created: now, by the camera's own clock.
    """
    stamp = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Username Token Profile 1.0 section 3.1: Password_Digest = Base64 ( SHA-1 ( nonce + created + password ) ), of the
    # nonce's bytes, not of its base64.
    digest = hashlib.sha1(nonce + stamp.encode() + password.encode(errors="replace"), usedforsecurity=False).digest()
    return (
        f'<Security s:mustUnderstand="1" xmlns="{_SECURITY}"><UsernameToken>'
        f"<Username>{escape(username)}</Username>"
        f'<Password Type="{_DIGEST}">{base64.b64encode(digest).decode()}</Password>'
        f'<Nonce EncodingType="{_BASE64}">{base64.b64encode(nonce).decode()}</Nonce>'
        f'<Created xmlns="{_UTILITY}">{stamp}</Created>'
        "</UsernameToken></Security>"
    )


def parse_reply_untrusted(data: bytes) -> Element:
    """Return the element that a reply's body holds. Raises OnvifFault where that is a fault, MalformedReply."""
    root = parse_xml_untrusted(data)
    body = find(root, "Body")
    if root.tag != "Envelope" or body is None or not len(body):
        raise MalformedReply("it is no SOAP message")
    content = body[0]
    if content.tag == "Fault":
        raise _fault(content)
    return content


def _fault(fault: Element) -> OnvifFault:
    # SOAP 1.1 has faultcode and faultstring instead; some cameras answer in it.
    codes = tuple(_codes(find(fault, "Code"))) or (text_of(fault, "faultcode").rpartition(":")[2],)
    reason = text_of(fault, "Reason", "Text") or text_of(fault, "faultstring")
    return OnvifFault(codes, reason)


def _codes(code: Element | None) -> Iterator[str]:
    for _ in range(_MAX_SUBCODES):
        if code is None:
            return
        yield text_of(code, "Value").rpartition(":")[2]
        code = find(code, "Subcode")
