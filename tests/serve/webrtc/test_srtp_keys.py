"""Session keys: what libsrtp opens, we derived right."""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from camgate.serve.webrtc.numbering import packet_nonce, salted
from camgate.serve.webrtc.srtp_keys import derive_gcm
from tests.serve.webrtc.test_numbering import MASTER_KEY, MASTER_SALT, SSRC, Receiver


def test_libsrtp_opens_what_the_derived_key_sealed() -> None:
    key, salt = derive_gcm(MASTER_KEY, MASTER_SALT)
    assert key != MASTER_KEY
    header = bytes.fromhex("8060000100000002") + SSRC.to_bytes(4, "big")
    packet = header + AESGCM(key).encrypt(packet_nonce(salted(salt, SSRC), 1), b"picture", header)
    assert Receiver().open(packet) == header + b"picture"
