"""STUN messages as an ICE-lite agent needs them: read and answer Binding requests, send one of our own.

A message is small and short-lived, so parsing is one pass over the attributes that keeps only what ICE uses. Every
message must carry MESSAGE-INTEGRITY (RFC 8445 section 7.2.2 asks for short-term credentials); FINGERPRINT is checked
where present and always written. Must not know sockets, peers or time.
"""

import hmac
import ipaddress
import struct
import zlib

from camgate.base.errors import RemoteError

MAGIC_COOKIE = 0x2112A442
_MAGIC_COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101

HEADER_BYTES = 20
TRANSACTION_ID_BYTES = 12
MAX_MESSAGE_BYTES = 1500
"""No STUN message over UDP is larger than one unfragmented datagram (RFC 8489 section 6.1)."""

_USERNAME = 0x0006
_MESSAGE_INTEGRITY = 0x0008
_XOR_MAPPED_ADDRESS = 0x0020
_PRIORITY = 0x0024
_USE_CANDIDATE = 0x0025
_FINGERPRINT = 0x8028
_ICE_CONTROLLED = 0x8029
_ICE_CONTROLLING = 0x802A

_INTEGRITY_BYTES = 20
_FINGERPRINT_XOR = 0x5354554E  # RFC 8489 section 14.7: "STUN"
_ATTRIBUTE_HEADER = struct.Struct(">HH")
_HEADER = struct.Struct(">HHI12s")


class StunMalformed(RemoteError):
    """The datagram is not a STUN message that RFC 8489 allows."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"malformed STUN message: {self.reason}"


class StunMessage:
    """The parts of a received message that ICE uses.

    username: the USERNAME attribute as text, `""` where absent (RFC 8445 section 7.2.2: `local:remote` seen from us).
    integrity_offset: where MESSAGE-INTEGRITY's attribute starts, -1 where absent.
    use_candidate: the controlling agent nominates the pair with this check.
    """

    __slots__ = ("data", "integrity_offset", "message_type", "priority", "transaction_id", "use_candidate", "username")

    def __init__(self, data: bytes, message_type: int, transaction_id: bytes) -> None:
        self.data = data
        self.message_type = message_type
        self.transaction_id = transaction_id
        self.username = ""
        self.integrity_offset = -1
        self.use_candidate = False
        self.priority = 0

    def has_integrity(self, password: bytes) -> bool:
        """Say whether MESSAGE-INTEGRITY is present and made with `password` (compared in constant time)."""
        offset = self.integrity_offset
        if offset < 0:
            return False
        # RFC 8489 section 14.5: the length field counts up to and including MESSAGE-INTEGRITY while hashing.
        signed = bytearray(self.data[:offset])
        struct.pack_into(">H", signed, 2, offset - HEADER_BYTES + 4 + _INTEGRITY_BYTES)
        expected = hmac.digest(password, signed, "sha1")
        return hmac.compare_digest(expected, self.data[offset + 4 : offset + 4 + _INTEGRITY_BYTES])


def parse_stun_untrusted(data: bytes) -> StunMessage:
    """Read one datagram as a STUN message.

    Raises StunMalformed for a wrong cookie, a wrong length, an attribute that overruns the message, or a FINGERPRINT
    that does not fit (RFC 8489 section 6.3). Unknown attributes are skipped, comprehension-required ones too: browsers
    send experimental ones, and a Binding answer does not depend on them.
    """
    if len(data) < HEADER_BYTES:
        raise StunMalformed(f"{len(data)} bytes, shorter than the {HEADER_BYTES}-byte header")
    if len(data) > MAX_MESSAGE_BYTES:
        raise StunMalformed(f"{len(data)} bytes, more than {MAX_MESSAGE_BYTES}")
    message_type, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if cookie != MAGIC_COOKIE:
        raise StunMalformed("magic cookie missing")
    if message_type & 0xC000 or length % 4 or length != len(data) - HEADER_BYTES:
        raise StunMalformed(f"length field {length} does not fit {len(data)} bytes")
    message = StunMessage(data, message_type, transaction_id)
    _read_attributes_untrusted(message)
    return message


def _read_attributes_untrusted(message: StunMessage) -> None:
    data = message.data
    offset, end = HEADER_BYTES, len(data)
    while offset < end:
        kind, size = _ATTRIBUTE_HEADER.unpack_from(data, offset)
        value = offset + 4
        if value + size > end:
            raise StunMalformed(f"attribute 0x{kind:04x} at byte {offset} overruns the message")
        if kind == _FINGERPRINT:
            _check_fingerprint_untrusted(data, offset, size)
            return
        # RFC 8489 section 14.5: all attributes after MESSAGE-INTEGRITY but FINGERPRINT are ignored.
        if message.integrity_offset < 0:
            _read_attribute_untrusted(message, kind, value, size, offset)
        offset = value + size + (-size % 4)


def _read_attribute_untrusted(message: StunMessage, kind: int, value: int, size: int, offset: int) -> None:
    if kind == _USERNAME:
        try:
            message.username = message.data[value : value + size].decode()
        except UnicodeDecodeError:
            raise StunMalformed("USERNAME is not UTF-8") from None
    elif kind == _MESSAGE_INTEGRITY:
        if size != _INTEGRITY_BYTES:
            raise StunMalformed(f"MESSAGE-INTEGRITY of {size} bytes")
        message.integrity_offset = offset
    elif kind == _USE_CANDIDATE:
        message.use_candidate = True
    elif kind == _PRIORITY and size == 4:
        message.priority = int.from_bytes(message.data[value : value + 4], "big")


def _check_fingerprint_untrusted(data: bytes, offset: int, size: int) -> None:
    # RFC 8489 section 14.7: FINGERPRINT is the last attribute and covers all before it.
    if size != 4 or offset + 8 != len(data):
        raise StunMalformed("FINGERPRINT is not the last attribute")
    if zlib.crc32(data[:offset]) ^ _FINGERPRINT_XOR != int.from_bytes(data[offset + 4 : offset + 8], "big"):
        raise StunMalformed("FINGERPRINT does not fit")


def build_binding_success(request: StunMessage, address: tuple[str, int], password: bytes) -> bytes:
    """Answer a Binding request: the address it came from, signed with our password (RFC 8445 section 7.3)."""
    mapped = _xor_address(address, request.transaction_id)
    return _sign(BINDING_SUCCESS, request.transaction_id, _attribute(_XOR_MAPPED_ADDRESS, mapped), password)


def build_binding_request(
    transaction_id: bytes,
    username: str,
    password: bytes,
    *,
    priority: int,
    tie_breaker: int,
    use_candidate: bool = False,
    controlling: bool = False,
) -> bytes:
    """Build a connectivity check of a controlled agent, or of a controlling one (RFC 8445 section 7.1).

    username: `remote:local` ufrags; password: the remote side's, as text bytes; tie_breaker: 64 random bits.
    """
    attributes = _attribute(_USERNAME, username.encode()) + _attribute(_PRIORITY, priority.to_bytes(4, "big"))
    attributes += _attribute(_ICE_CONTROLLING if controlling else _ICE_CONTROLLED, tie_breaker.to_bytes(8, "big"))
    if use_candidate:
        attributes += _attribute(_USE_CANDIDATE, b"")
    return _sign(BINDING_REQUEST, transaction_id, attributes, password)


def build_binding_query(transaction_id: bytes) -> bytes:
    """Build a Binding request to a STUN server, which knows no passwords (RFC 8489 section 8)."""
    covered = _HEADER.pack(BINDING_REQUEST, 8, MAGIC_COOKIE, transaction_id)
    return covered + _fingerprint(covered)


def read_mapped_address(message: StunMessage) -> tuple[str, int] | None:
    """Return the XOR-MAPPED-ADDRESS of a Binding success, or None."""
    data, offset = message.data, HEADER_BYTES
    while offset + 8 <= len(data):
        kind, size = _ATTRIBUTE_HEADER.unpack_from(data, offset)
        if kind == _XOR_MAPPED_ADDRESS and size in (8, 20):
            port = int.from_bytes(data[offset + 6 : offset + 8], "big") ^ (MAGIC_COOKIE >> 16)
            packed = data[offset + 8 : offset + 4 + size]
            return str(ipaddress.ip_address(_xor_bytes(packed, message.transaction_id))), port
        offset += 4 + size + (-size % 4)
    return None


def _xor_address(address: tuple[str, int], transaction_id: bytes) -> bytes:
    # RFC 8489 section 14.2: the port is xored with the cookie's top half, the address with cookie and transaction id.
    packed = ipaddress.ip_address(address[0].partition("%")[0]).packed
    family = 1 if len(packed) == 4 else 2
    return struct.pack(">BBH", 0, family, address[1] ^ (MAGIC_COOKIE >> 16)) + _xor_bytes(packed, transaction_id)


def _xor_bytes(packed: bytes, transaction_id: bytes) -> bytes:
    mask = (_MAGIC_COOKIE_BYTES + transaction_id)[: len(packed)]
    return (int.from_bytes(packed, "big") ^ int.from_bytes(mask, "big")).to_bytes(len(packed), "big")


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE_HEADER.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _sign(message_type: int, transaction_id: bytes, attributes: bytes, password: bytes) -> bytes:
    length = len(attributes) + 4 + _INTEGRITY_BYTES
    signed = _HEADER.pack(message_type, length, MAGIC_COOKIE, transaction_id) + attributes
    signed += _attribute(_MESSAGE_INTEGRITY, hmac.digest(password, signed, "sha1"))
    covered = struct.pack(">HH", message_type, length + 8) + signed[4:]
    return covered + _fingerprint(covered)


def _fingerprint(covered: bytes) -> bytes:
    return _attribute(_FINGERPRINT, (zlib.crc32(covered) ^ _FINGERPRINT_XOR).to_bytes(4, "big"))
