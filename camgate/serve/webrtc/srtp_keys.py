"""SRTP session keys from the master keys that DTLS exports (RFC 3711 section 4.3, RFC 7714 section 11)."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

LABEL_ENCRYPTION = 0
LABEL_SALT = 2
GCM_SALT_BYTES = 12


def derive_gcm(master_key: bytes, master_salt: bytes) -> tuple[bytes, bytes]:
    """Return the session key and the 12-byte session salt of AEAD_AES_128_GCM or AEAD_AES_256_GCM for SRTP.

    master_key: 16 or 32 bytes; master_salt: 12 bytes, taken as 14 with two zero bytes behind (RFC 7714 section 11).
    """
    salt = int.from_bytes(master_salt, "big") << 16
    return (
        _key_stream(master_key, salt, LABEL_ENCRYPTION, len(master_key)),
        _key_stream(master_key, salt, LABEL_SALT, GCM_SALT_BYTES),
    )


def _key_stream(master_key: bytes, salt: int, label: int, size: int) -> bytes:
    # RFC 3711 section 4.3.1: x = (label || 48-bit index/rate, here 0) xor salt; section 4.3.3: AES-CM from x * 2^16.
    counter = ((label << 48) ^ salt) << 16
    encryptor = Cipher(AES(master_key), CTR(counter.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(size))
