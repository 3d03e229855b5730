"""What the HTTP side needs of the media engine: a narrow interface of plain values.

HTTP knows cameras by name, viewers by session id, and SDP as text. So the engine may live in this process, in a
worker process or on another machine, and neither side notices.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from camgate.auth.identity import Identity
from camgate.wire.ice.servers import IceServer


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer to one viewer's offer."""

    session_id: str
    """Unguessable: who knows it may change or end the session."""
    sdp: str
    etag: str
    """Names the ICE session (RFC 9725 section 4.3.1), without the quotes that HTTP puts around it."""
    codec: str
    """What the viewer gets, such as `H264`."""
    why: str = ""
    """Why it gets that, a clause for people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A snapshot. etag: names these very bytes, without quotes."""

    jpeg: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches, by a session, and what. identity: as the offer came with it."""

    camera: str
    identity: Identity


class MediaEngine(Protocol):
    """Cameras in, viewers out. Every failure that is the viewer's to know is a `camgate.relay.errors.ViewerError`."""

    async def answer_offer(
        self, camera: str, offer_sdp: str, *, identity: Identity, client: str, host: str | None, wait_s: float | None
    ) -> Answer:
        """Start a viewer of `camera`, for as long as `identity` holds; whether it may view is asked before.

        `client` is the address that the offer came from, without port; empty where there is none.
        `host` is the name or address by which the browser reached us: no port, no brackets; None when it sent none.
        `wait_s` is how long to wait for a camera that is not live. None: not at all, but for a camera on demand as long
        as a dial takes.
        Raises: UnknownCamera, CameraOffline, TooManyViewers, MachineAtLimit, BadOffer, NoCommonCodec.
        """

    @property
    def max_viewers(self) -> int:
        """How many viewers there may be at once, by the settings of now."""

    async def restart_ice(self, session_id: str, fragment: str, etag: str | None) -> tuple[str, str] | None:
        """Restart ICE if the fragment carries other ICE credentials than the session has; give our fragment and ETag.

        None when it carries the same credentials or none: no restart is asked, its candidates go to
        `add_candidates`. `etag` must name the session's ICE session; None stands for `If-Match: *`, which fits any.
        Raises: UnknownSession, PreconditionFailed, UnprocessableFragment.
        """

    async def add_candidates(self, session_id: str, fragment: str) -> None:
        """Take a viewer's candidates, an SDP fragment (RFC 8840).

        Raises: UnknownSession, UnprocessableFragment.
        """

    def viewer(self, session_id: str) -> Viewer:
        """What a session shows, and to whom. Raises UnknownSession."""

    def ice_servers(self, identity: Identity) -> tuple[IceServer, ...]:
        """The STUN and TURN servers for a viewer of this identity, who may view; with new credentials each time."""

    @property
    def has_ice_servers(self) -> bool:
        """Whether viewers need to be told of any. Cheap."""

    async def close_viewer(self, session_id: str) -> bool:
        """End a session; False when there is no such session."""

    async def snapshot(self, camera: str, width: int) -> Picture:
        """Make a JPEG of the last key frame of `camera`, at most `width` pixels wide; 0 = as the camera sends it.

        Raises: UnknownCamera, CameraOffline, NoSnapshot, TooManySnapshots.
        """

    def has_camera(self, name: str) -> bool:
        """Whether there is such a camera. Cheap, as each request for one asks it first."""

    def groups(self, name: str) -> tuple[str, ...]:
        """The groups that a camera is in; none where there is no such camera."""

    def camera_names(self) -> list[str]:
        """The names of all cameras, in the order in which people want to see them."""

    def cameras(self, names: Collection[str] | None = None) -> list[dict[str, object]]:
        """Every camera, or those of `names` that exist, ready for JSON.

        Keys, at least: name, title, state, last_error, needs_attention, healthy, health_reason, demand, codec, profile,
        has_b_frames, width, height, fps, expected_fps, bitrate_bps, loss, packets, packets_lost, frames_damaged,
        transport, frame_age_s, key_frame_age_s, gop_s, cache_frames, gop_outgrows_cache, viewers, rtsp_clients,
        reconnects, uptime_s, sub, sent, transcoders. What is not known is None.
        """

    def audience(self) -> list[dict[str, object]]:
        """Who watches, by WebRTC or from the RTSP server, ready for JSON; keys as in the API's schema of a viewer."""

    def send_away(self, camera: str, viewer_id: str) -> bool:
        """End the session of whom `audience` tells of; False where nobody watches that camera under this id."""

    def server(self) -> dict[str, object]:
        """This machine's load and limits, ready for JSON.

        Keys: viewers, viewers_by_transport, load, limits, at_limit, joins_admitted, joins_refused, connects_failed,
        sheds, rtsp, queues; see the API's schema.
        """

    def revision(self) -> int:
        """A counter that rises with each change of any camera's state, and with cameras coming and going."""

    def changed_since(self, revision: int) -> list[str]:
        """The cameras that came or changed after the counter was `revision`, and are still there."""

    async def wait_changed(self, revision: int) -> int:
        """Wait until the counter is no longer `revision`; give its value."""

    async def wait_viewer_closed(self, session_id: str) -> str:
        """Wait until a session has ended; give the reason in words. Returns at once for an unknown session."""
