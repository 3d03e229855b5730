"""A WebRTC viewer for sender tests: its own libsrtp, and a socket that keeps what was sent to it."""

import socket
from collections.abc import Sequence

import pylibsrtp

from camgate.serve.datagrams import Route
from camgate.serve.webrtc.audio import Listener
from camgate.serve.webrtc.dtls import SrtpKeys
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.srtp_keys import derive_gcm
from camgate.serve.webrtc.viewer import Viewer
from camgate.wire.rtp.packet import RtpPacket, parse_rtp_untrusted
from camgate.wire.rtp.rtcp import RtcpPacket, parse_rtcp_untrusted

_KEY, _SALT = bytes(range(16)), bytes(range(50, 64))


class FakeSocket:
    """Stands for `UdpSocket`: cuts batches as the kernel does.

    `full` makes it refuse that many sends, `slow` that many before each one that it takes.
    """

    def __init__(self) -> None:
        self.datagrams: list[bytes] = []
        self.calls = 0
        self.full = 0
        self.slow = 0
        self.sock = socket.socket

    def send(self, buffers: Sequence[bytes | memoryview], segment_bytes: int, route: Route) -> bool:
        self.calls += 1
        if self.full:
            self.full -= 1
            return False
        self.full = self.slow
        data = b"".join(buffers)
        size = segment_bytes or len(data)
        self.datagrams += [data[i : i + size] for i in range(0, len(data), size)]
        return True


def srtp_session(ssrc_type: int, *, gcm: bool = True) -> pylibsrtp.Session:
    """Open one side of the SRTP that all fake viewers use: the same key both ways."""
    profile, salt_bytes = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 14
    if gcm:
        profile, salt_bytes = pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 12
    policy = pylibsrtp.Policy(key=_KEY + _SALT[:salt_bytes], ssrc_type=ssrc_type, srtp_profile=profile)
    policy.allow_repeat_tx = True
    policy.window_size = 1024
    return pylibsrtp.Session(policy)


def srtp_keys(inbound: pylibsrtp.Session, *, gcm: bool = True) -> SrtpKeys:
    """What a handshake would have given camgate; `inbound` opens what the viewer sends."""
    key, salt = derive_gcm(_KEY, _SALT[:12]) if gcm else (None, None)
    return SrtpKeys("test", key, salt, srtp_session(pylibsrtp.Policy.SSRC_ANY_OUTBOUND, gcm=gcm), inbound)


class Receiver:
    """One viewer and everything that reached it.

    gcm chooses AEAD_AES_128_GCM, else AES_CM_128_HMAC_SHA1_80.
    """

    def __init__(self, ssrc: int, *, gcm: bool = True, playout_delay_id: int = 0) -> None:
        self.socket = FakeSocket()
        self._session = srtp_session(pylibsrtp.Policy.SSRC_ANY_INBOUND, gcm=gcm)
        self._keys = srtp_keys(self._session, gcm=gcm)
        self._route = Route(self.socket, ("192.0.2.9", 9), [])  # type: ignore[arg-type]
        self.viewer = Viewer(self._keys, self._route, HeaderProfile(96, playout_delay_id), ssrc)
        self.packets: list[RtpPacket] = []
        self.reports: list[RtcpPacket] = []

    def listen(self, ssrc: int, payload_type: int = 8) -> Listener:
        """Hear a second track over the same path, under the same keys."""
        return Listener(self._keys, self._route, payload_type, ssrc)

    def take(self) -> list[RtpPacket]:
        """Open what came since the last call; returns its RTP packets. RTCP goes to `reports`."""
        fresh = []
        for datagram in self.socket.datagrams:
            if 192 <= datagram[1] <= 223:
                self.reports += parse_rtcp_untrusted(self._session.unprotect_rtcp(datagram))
            else:
                fresh.append(parse_rtp_untrusted(self._session.unprotect(datagram)))
        self.socket.datagrams.clear()
        self.packets += fresh
        return fresh

    def frames(self) -> list[list[RtpPacket]]:
        """Group all packets into frames by timestamp; fails on a gap, a missing or misplaced marker."""
        frames: list[list[RtpPacket]] = []
        for before, packet in zip([None, *self.packets], self.packets, strict=False):
            if before is not None:
                assert packet.sequence == (before.sequence + 1) & 0xFFFF, "a gap that we made"
                assert before.marker == (before.timestamp != packet.timestamp)
            if before is None or before.marker:
                frames.append([])
            frames[-1].append(packet)
        return frames
