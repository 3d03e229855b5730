"""Who watches, one by one and ready for JSON: browsers by WebRTC and players by RTSP, under the same keys."""

from camgate.auth.identity import Identity
from camgate.choice import Choice
from camgate.serve.rtsp.guests import ClientStatistics
from camgate.serve.webrtc.peer import PeerState, PeerStatistics


def describe_browser(peer: PeerStatistics, choice: Choice, identity: Identity) -> dict[str, object]:
    """Describe a viewer by WebRTC. What its receiver reports tell is None until it is connected."""
    media = peer.media
    return {
        "id": peer.label,
        "camera": peer.camera,
        "protocol": "webrtc",
        "address": peer.address,
        "user": identity.name,
        "transport": peer.transport,
        "is_connected": peer.state is PeerState.CONNECTED,
        "codec": choice.codec.name,
        "way": choice.way,
        "has_sound": peer.sound is not None,
        "since_s": peer.age_s,
        "packets_sent": media.packets_sent if media else 0,
        "bytes_sent": media.bytes_sent if media else 0,
        "frames_dropped": media.frames_dropped if media else 0,
        "packets_retransmitted": media.packets_retransmitted if media else 0,
        "loss": media.loss_fraction if media else None,
        "jitter_s": media.jitter_s if media else None,
        "round_trip_s": media.round_trip_s if media else None,
    }


def describe_player(client: ClientStatistics) -> dict[str, object]:
    """Describe a client of the RTSP server, which is sent what the camera sends, and reports nothing of its path."""
    return {
        "id": client.id,
        "camera": client.camera,
        "protocol": "rtsp",
        "address": client.address,
        "user": client.user,
        "transport": client.transport,
        "is_connected": True,
        "codec": None,
        "way": "as-is",
        "has_sound": None,
        "since_s": client.since_s,
        "packets_sent": client.packets_sent,
        "bytes_sent": client.bytes_sent,
        "frames_dropped": client.dropped_frames,
        "packets_retransmitted": 0,
        "loss": None,
        "jitter_s": None,
        "round_trip_s": None,
    }
