"""A media engine without media: answers offers with canned text and does what the test tells it to."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from itertools import count

import trio

from camgate.auth.identity import EVERYBODY, Identity
from camgate.relay.errors import PreconditionFailed, UnknownCamera, UnknownSession, ViewerError
from camgate.serve.http.engine import Answer, Picture, Viewer
from camgate.wire.ice.servers import IceServer

ANSWER_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n"
RESTART_FRAGMENT = "a=ice-lite\r\na=ice-ufrag:new1\r\na=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\r\n"


@dataclass
class FakeViewer:
    """What the engine knows of one session."""

    camera: str
    offer_sdp: str
    client: str
    host: str | None
    wait_s: float | None
    identity: Identity
    ufrag: str = "old1"
    etag: str = "etag-1"
    fragments: list[str] = field(default_factory=list)
    reason: str = ""
    closed: trio.Event = field(default_factory=trio.Event)


class FakeEngine:
    """Implements `MediaEngine`. `refusal` is raised by the next offers; `bug` by everything."""

    def __init__(self, *cameras: str) -> None:
        self.facts = {name: camera_facts(name) for name in cameras or ("front", "yard")}
        self.group_names: dict[str, tuple[str, ...]] = {}
        self.viewers: dict[str, FakeViewer] = {}
        self.refusal: ViewerError | None = None
        self.bug: Exception | None = None
        self.answering = trio.Event()
        self.answering.set()
        self.turn: tuple[IceServer, ...] = ()
        self.max_viewers = 1000
        self.described = 0
        self._changed_at: dict[str, int] = {}
        self._revision = 1
        self._changed = trio.Event()
        self._numbers = count(1)

    async def answer_offer(
        self, camera: str, offer_sdp: str, *, identity: Identity, client: str, host: str | None, wait_s: float | None
    ) -> Answer:
        self._maybe_fail()
        await self.answering.wait()
        if camera not in self.facts:
            raise UnknownCamera(camera)
        if self.refusal:
            raise self.refusal
        session_id = f"session-{next(self._numbers)}"
        self.viewers[session_id] = FakeViewer(camera, offer_sdp, client, host, wait_s, identity)
        return Answer(session_id, ANSWER_SDP, "etag-1", "H264")

    async def restart_ice(self, session_id: str, fragment: str, etag: str | None) -> tuple[str, str] | None:
        self._maybe_fail()
        viewer = self._viewer(session_id)
        if etag is not None and etag != viewer.etag:
            raise PreconditionFailed(etag, viewer.etag)
        if "a=ice-ufrag:" not in fragment or f"a=ice-ufrag:{viewer.ufrag}" in fragment:
            return None
        viewer.etag = "etag-2"
        return RESTART_FRAGMENT, viewer.etag

    async def add_candidates(self, session_id: str, fragment: str) -> None:
        self._maybe_fail()
        self._viewer(session_id).fragments.append(fragment)

    def ice_servers(self, identity: Identity) -> tuple[IceServer, ...]:
        return tuple(
            replace(server, username=f"5:{identity.name}") if server.username else server for server in self.turn
        )

    @property
    def has_ice_servers(self) -> bool:
        return bool(self.turn)

    def viewer(self, session_id: str) -> Viewer:
        self._maybe_fail()
        viewer = self._viewer(session_id)
        return Viewer(viewer.camera, viewer.identity)

    async def close_viewer(self, session_id: str) -> bool:
        self._maybe_fail()
        if session_id not in self.viewers:
            return False
        self.end_viewer(session_id, "Closed by the viewer.")
        return True

    async def snapshot(self, camera: str, width: int) -> Picture:
        self._maybe_fail()
        if camera not in self.facts:
            raise UnknownCamera(camera)
        if self.refusal:
            raise self.refusal
        return Picture(b"\xff\xd8" + str(width).encode(), f"etag-{width}")

    def has_camera(self, name: str) -> bool:
        self._maybe_fail()
        return name in self.facts

    def groups(self, name: str) -> tuple[str, ...]:
        return self.group_names.get(name, ())

    def camera_names(self) -> list[str]:
        self._maybe_fail()
        return list(self.facts)

    def cameras(self, names: Collection[str] | None = None) -> list[dict[str, object]]:
        self._maybe_fail()
        found = [dict(facts) for name, facts in self.facts.items() if names is None or name in names]
        self.described += len(found)
        return found

    def audience(self) -> list[dict[str, object]]:
        self._maybe_fail()
        return [viewer_facts(session_id, viewer.camera) for session_id, viewer in self.viewers.items()]

    def send_away(self, camera: str, viewer_id: str) -> bool:
        self._maybe_fail()
        if viewer_id not in self.viewers or self.viewers[viewer_id].camera != camera:
            return False
        self.end_viewer(viewer_id, "Sent away.")
        return True

    def server(self) -> dict[str, object]:
        self._maybe_fail()
        return server_facts()

    def revision(self) -> int:
        return self._revision

    def changed_since(self, revision: int) -> list[str]:
        return [name for name, changed_at in self._changed_at.items() if changed_at > revision and name in self.facts]

    async def wait_changed(self, revision: int) -> int:
        while self._revision == revision:
            await self._changed.wait()
        return self._revision

    async def wait_viewer_closed(self, session_id: str) -> str:
        if session_id not in self.viewers:
            return "Unknown session."
        viewer = self.viewers[session_id]
        await viewer.closed.wait()
        return viewer.reason

    def change(self, camera: str, **facts: object) -> None:
        """Change a camera's facts and tell who waits."""
        self.facts.setdefault(camera, camera_facts(camera)).update(facts)
        self._tell()
        self._changed_at[camera] = self._revision

    def remove(self, camera: str) -> None:
        """Remove a camera."""
        del self.facts[camera]
        self._tell()

    def watch(self, session_id: str, camera: str) -> None:
        """Have somebody watch who came from nowhere."""
        self.viewers[session_id] = FakeViewer(camera, "", "", None, None, EVERYBODY)

    def end_viewer(self, session_id: str, reason: str) -> None:
        """End a session as the engine does by itself."""
        viewer = self.viewers.pop(session_id)
        viewer.reason = reason
        viewer.closed.set()

    def _tell(self) -> None:
        self._revision += 1
        self._changed.set()
        self._changed = trio.Event()

    def _viewer(self, session_id: str) -> FakeViewer:
        if session_id not in self.viewers:
            raise UnknownSession(session_id)
        return self.viewers[session_id]

    def _maybe_fail(self) -> None:
        if self.bug:
            raise self.bug


def camera_facts(name: str) -> dict[str, object]:
    """A live camera as `cameras()` tells it."""
    return {
        "name": name,
        "title": name.title(),
        "state": "live",
        "last_error": None,
        "needs_attention": None,
        "healthy": True,
        "health_reason": None,
        "demand": None,
        "codec": "H264",
        "profile": "High",
        "has_b_frames": False,
        "width": 1280,
        "height": 720,
        "fps": 25.0,
        "expected_fps": 25.0,
        "bitrate_bps": 2_000_000,
        "loss": 0.0,
        "packets": 100_000,
        "packets_lost": 0,
        "packets_late": 0,
        "packets_reordered": 0,
        "packets_foreign": 0,
        "transport": "tcp",
        "frames_damaged": 0,
        "frames_skipped": 0,
        "frame_age_s": 0.01,
        "key_frame_age_s": 1.0,
        "gop_s": 2.0,
        "cache_frames": 25,
        "gop_outgrows_cache": False,
        "viewers": 0,
        "rtsp_clients": 0,
        "reconnects": 0,
        "uptime_s": 60.0,
        "audio": None,
        "sub": None,
        "sent": [],
        "transcoders": [],
    }


def viewer_facts(viewer_id: str, camera: str = "front") -> dict[str, object]:
    """Who watches as `audience()` tells it."""
    return {
        "id": viewer_id,
        "camera": camera,
        "protocol": "webrtc",
        "address": "192.0.2.7:50000",
        "user": "anna",
        "transport": "udp",
        "is_connected": True,
        "codec": "H264",
        "way": "as-is",
        "has_sound": True,
        "since_s": 12.5,
        "packets_sent": 100,
        "bytes_sent": 120_000,
        "frames_dropped": 0,
        "packets_retransmitted": 0,
        "loss": 0.0,
        "jitter_s": 0.002,
        "round_trip_s": 0.025,
    }


def server_facts() -> dict[str, object]:
    """A machine at ease as `server()` tells it."""
    return {
        "viewers": 0,
        "viewers_by_transport": {"udp": 0, "tcp": 0, "connecting": 0},
        "load": {
            "share": 0.1,
            "sending_share": 0.0,
            "thread_share": 0.12,
            "lag_s": 0.001,
            "delay_s": 0.0,
            "sending_bytes_per_s": None,
            "memory_bytes": 60_000_000,
        },
        "limits": {"max_viewers": 1000, "max_load": 0.85, "max_lag_s": 0.1, "max_delay_s": 0.15, "max_memory_mb": 800},
        "at_limit": [],
        "joins_admitted": 0,
        "joins_refused": {},
        "connects_failed": {
            "no-check": 0,
            "no-handshake": 0,
            "no-answer": 0,
            "handshake-stalled": 0,
            "handshake-refused": 0,
        },
        "sheds": 0,
        "rtsp": None,
        "queues": {
            "reader": {"max_bytes": 4194304, "max_age_s": 0.25, "bytes": 0, "age_s": 0.0},
            "key_frame_cache": {"max_bytes": 4194304, "max_age_s": 10.0, "bytes": 0},
        },
    }
