"""The media engine as HTTP sees it: cameras and viewers by name and id, SDP as text, nothing else crosses.

Joins relay (which camera, is it live) and serve.webrtc (who watches). Owns no task: the app runs the parts.
"""

import secrets
from collections import Counter
from collections.abc import Collection
from dataclasses import is_dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import trio

from camgate.audience import describe_browser, describe_player
from camgate.auth.identity import EVERYBODY, Identity
from camgate.auth.leases import Lease, Leases
from camgate.base.shallow import shallow
from camgate.choice import Choice, choose
from camgate.config.model import STUN, Settings
from camgate.load.watch import LoadWatch
from camgate.relay.audio import AudioStream
from camgate.relay.errors import (
    BadOffer,
    CameraFull,
    CameraOffline,
    PreconditionFailed,
    TooManyJoins,
    TooManyOfUser,
    TooManyViewers,
    UnknownSession,
    UnprocessableFragment,
)
from camgate.relay.keyframes import MAX_CACHE_BYTES, MAX_CACHE_S
from camgate.relay.registry import Registry
from camgate.relay.source import Source, SourceStatistics
from camgate.relay.subscription import MAX_QUEUE_AGE_S, MAX_QUEUE_BYTES
from camgate.serve.http.engine import Answer, Picture, Viewer
from camgate.serve.rtsp.guests import Guests
from camgate.serve.webrtc.addresses import AddressBook
from camgate.serve.webrtc.endpoint import Endpoint
from camgate.serve.webrtc.ice_servers import IceServers
from camgate.serve.webrtc.interfaces import watch_interfaces
from camgate.serve.webrtc.packets import HeaderProfile
from camgate.serve.webrtc.path import OfferCredit
from camgate.serve.webrtc.peer import IceCredentials, Peer, Sound
from camgate.serve.webrtc.public_address import PublicAddress
from camgate.transcode.pool import TranscoderPool
from camgate.transcode.snapshots import Snapshots
from camgate.transcode.sounds import OPUS, SoundPool
from camgate.wire.ice.servers import IceServer
from camgate.wire.sdp.answer import (
    PLAYOUT_DELAY_URI,
    Candidate,
    LocalTransport,
    SentTrack,
    build_answer,
    choose_audio,
    host_candidates,
    wanted_audio,
    wanted_video,
)
from camgate.wire.sdp.fragment import Fragment, FragmentMalformed, build_fragment, parse_fragment_untrusted
from camgate.wire.sdp.offer import Offer, OfferedCodec, OfferedMedia, OfferMalformed, parse_offer_untrusted

FULL_RETRY_S = 10.0
AGAIN_S = 1.0
"""For a camera whose configuration was changed while somebody joined."""

SNAPSHOT_WAIT_S = 2.0
"""For a camera that is just being dialled."""

ON_DEMAND_WAIT_S = 10.0
"""How long an offer that names no wait is held for a camera on demand: a dial, and the camera's next key frame."""

SUB_FIGURES = (
    "state",
    "last_error",
    "codec",
    "profile",
    "has_b_frames",
    "width",
    "height",
    "fps",
    "bitrate_bps",
)
"""What is told of a camera's sub-stream."""

MAX_WAITING_STEPS = 200
MAX_STEP_WAIT_S = 1.0
"""A join has about ten steps and 15 s. When so many wait, and the first of them for so long (`serve.webrtc.turns`), one
more viewer would be connected late, and make others too late. Many alone are a crowd that is soon let in, and a long
wait alone is a busy machine."""
JOINS_RETRY_S = 3.0

MAPPED_PRIORITY = (100 << 24) | (65535 << 8) | 255
"""RFC 8445 section 5.1.2.1, with the preference of server-reflexive candidates: after all others of UDP."""


class Engine:
    """Answers offers for the cameras of `registry` with viewers of `endpoint`."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        endpoint: Endpoint,
        rtsp: Guests | None = None,
        leases: Leases | None = None,
    ) -> None:
        """rtsp: who is connected to the RTSP server; None where there is none. leases: end who may view no more."""
        self._settings = settings
        self._registry = registry
        self._endpoint = endpoint
        self._rtsp = rtsp
        self._leases = Leases() if leases is None else leases
        self._public = PublicAddress(settings.webrtc.stun, endpoint.questions, lambda: endpoint.port)
        self._addresses = AddressBook(settings.webrtc.advertise, self._public.addresses)
        self._ice_servers = IceServers(settings.webrtc)
        self._choices: WeakKeyDictionary[Peer, Choice] = WeakKeyDictionary()
        self._watching: Counter[str] = Counter()
        """Viewers by camera and by account."""
        self._identities: WeakKeyDictionary[Peer, Identity] = WeakKeyDictionary()
        self.load = LoadWatch(settings.limits, endpoint.sending, endpoint.senders)
        self.snapshots = Snapshots()
        self.transcoders = TranscoderPool(settings.transcode)
        self.sounds = SoundPool()
        """All four run by the app."""

    @property
    def settings(self) -> Settings:
        """Those of now."""
        return self._settings

    def apply(self, settings: Settings) -> None:
        """Take other settings; viewers go on as they are."""
        before, self._settings = self._settings, settings
        if settings.webrtc != before.webrtc:
            self._ice_servers = IceServers(settings.webrtc)
        self.load.admission.apply(settings.limits)
        self.transcoders.apply(settings.transcode)

    async def watch_addresses(self) -> None:
        """Keep what viewers are told of our addresses true; run by the app."""
        self._addresses.look_again()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_interfaces, self._addresses.look_again)
            if STUN in self._settings.webrtc.advertise:
                nursery.start_soon(self._public.run)

    async def answer_offer(
        self,
        camera: str,
        offer_sdp: str,
        *,
        identity: Identity = EVERYBODY,
        client: str = "",
        host: str | None,
        wait_s: float | None,
    ) -> Answer:
        """Start a viewer of `camera`; see `serve.http.engine.MediaEngine`."""
        source = self._registry.get(camera)
        # Before the turn, which a flood of offers would take from viewers who are half connected.
        self._check_room(camera, identity)
        await self._endpoint.turns.take()
        try:
            offer = parse_offer_untrusted(offer_sdp)
        except OfferMalformed as exc:
            raise BadOffer(str(exc)) from exc
        video = wanted_video(offer)
        if video is None:
            raise BadOffer("it has no video section that is recvonly or sendrecv")
        if wait_s is None:
            wait_s = 0.0 if source.demand is None else ON_DEMAND_WAIT_S
        with source.want():
            choice = await self._choose(source, video, wait_s)
            with choice.stream.wants.hold():
                addresses = await self._addresses.candidates(host)
                # Others may have come while we waited, and the camera may be gone.
                self._check_there(source)
                self._check_room(camera, identity)
                self.load.admission.admit(trio.current_time())
                credit = OfferCredit(client, len(offer_sdp))
                return self._add_viewer(camera, offer, video, choice, addresses, identity, credit)

    async def _choose(self, source: Source, video: OfferedMedia, wait_s: float) -> Choice:
        deriver = self.transcoders if self.transcoders.is_on else None
        try:
            return await choose(source, video, wait_s, deriver)
        except CameraOffline:
            self._check_there(source)
            raise

    def _check_there(self, source: Source) -> None:
        """Raise UnknownCamera where a camera was removed; CameraOffline where there is another one of its name."""
        if self._registry.get(source.name) is not source:
            raise CameraOffline(source.name, "it has just been configured anew", retry_after_s=AGAIN_S)

    def _check_room(self, camera: str, identity: Identity) -> None:
        limit, admission = self._settings.server.max_viewers, self.load.admission
        viewers = self._endpoint.viewer_count
        of_camera = self._settings.cameras[camera].max_viewers if camera in self._settings.cameras else 0
        if of_camera and self._watching[f"camera:{camera}"] >= of_camera:
            admission.count_refused("camera_viewers")
            raise CameraFull(camera, of_camera, retry_after_s=FULL_RETRY_S)
        of_user = self._settings.limits.max_viewers_per_user
        if of_user and identity.account and self._watching[identity.account] >= of_user:
            admission.count_refused("user_viewers")
            raise TooManyOfUser(of_user, retry_after_s=FULL_RETRY_S)
        if viewers >= limit:
            admission.count_refused("max_viewers")
            raise TooManyViewers(limit, retry_after_s=FULL_RETRY_S)
        admission.check(viewers, trio.current_time())
        turns = self._endpoint.turns
        if turns.waiting >= MAX_WAITING_STEPS and turns.wait_s(trio.current_time()) > MAX_STEP_WAIT_S:
            admission.count_refused("joins")
            raise TooManyJoins(turns.waiting, retry_after_s=JOINS_RETRY_S)

    def _add_viewer(
        self,
        camera: str,
        offer: Offer,
        video: OfferedMedia,
        choice: Choice,
        addresses: list[str],
        identity: Identity,
        credit: OfferCredit,
    ) -> Answer:
        codec = choice.codec
        heard = wanted_audio(offer, video)
        # Sub-streams often have no sound of their own; the camera's goes with either, as all is on one clock.
        sounding = choice.source if choice.source.audio is not None else self._registry.get(camera)
        audio, audio_codec = self._choose_sound(sounding, heard)
        sound = None
        if audio is not None and audio_codec is not None:
            sound = Sound(self._endpoint.audio_sender(audio), audio_codec.payload_type)
        extensions = {uri: number for uri, number in video.extensions.items() if uri == PLAYOUT_DELAY_URI}
        peer = self._endpoint.add_peer(
            camera,
            choice.stream,
            HeaderProfile(codec.payload_type, extensions.get(PLAYOUT_DELAY_URI, 0), has_sound=sound is not None),
            IceCredentials(offer.ice_ufrag, offer.ice_pwd),
            offer.fingerprints,
            sound,
            credit,
        )
        tracks = {video.mid: SentTrack(codec, peer.ssrc, camera, extensions)}
        if heard is not None and audio_codec is not None and sound is not None:
            tracks[heard.mid] = SentTrack(audio_codec, sound.sender.ssrc, camera)
        peer.mid = next(media.mid for media in offer.media if media.mid in tracks)
        peer.addresses = addresses
        peer.misfit = choice.misfit
        self._choices[peer] = choice
        self._identities[peer] = identity
        counted = (f"camera:{camera}", identity.account)
        self._watching.update(counted)
        peer.on_gone = partial(self._forget, self._leases.take(identity, peer.leave, camera), counted)
        sdp = build_answer(offer, secrets.randbits(62), self._transport(peer), tracks)
        return Answer(peer.session_id, sdp, peer.etag, codec.name, choice.why)

    def _forget(self, lease: Lease, counted: tuple[str, ...]) -> None:
        self._leases.give_back(lease)
        self._watching -= Counter(counted)

    def _choose_sound(
        self, source: Source, heard: OfferedMedia | None
    ) -> tuple[AudioStream | None, OfferedCodec | None]:
        """Return the stream of sound for a viewer and the codec to send it in: as it comes, else made into Opus."""
        if heard is None or source.audio is None:
            return None, None
        codec = choose_audio(heard, source.audio.format)
        if codec is not None:
            return source.audio, codec
        codec = choose_audio(heard, OPUS)
        return (None, None) if codec is None else (self.sounds.derive(source.audio), codec)

    def _transport(self, peer: Peer) -> LocalTransport:
        candidates = host_candidates(peer.addresses, self._endpoint.port, tcp=self._endpoint.tcp.is_listening)
        candidates += self._mapped_candidates(peer.addresses)
        return LocalTransport(peer.local.ufrag, peer.local.pwd, peer.fingerprint, candidates)

    def _mapped_candidates(self, addresses: list[str]) -> tuple[Candidate, ...]:
        """Return candidates for ports that a NAT has given us instead of our own, should it let viewers in there."""
        if STUN not in self._settings.webrtc.advertise:
            return ()
        mapped = [mapping for mapping in self._public.other_ports() if mapping[0] in addresses]
        return tuple(
            Candidate(host, port, MAPPED_PRIORITY, 2 * len(addresses) + place)
            for place, (host, port) in enumerate(mapped, start=1)
        )

    async def restart_ice(self, session_id: str, fragment: str, etag: str | None) -> tuple[str, str] | None:
        """Restart ICE when the fragment brings new credentials; see `serve.http.engine.MediaEngine`."""
        peer, parsed = self._peer(session_id), _parse_fragment(fragment)
        if etag is not None and etag != peer.etag:
            raise PreconditionFailed(etag, peer.etag)
        if parsed.ice_ufrag is None or parsed.ice_ufrag == peer.remote_ufrag:
            return None
        if parsed.ice_pwd is None:
            raise UnprocessableFragment("a=ice-ufrag is new and a=ice-pwd is missing")
        self._endpoint.restart_ice(peer, IceCredentials(parsed.ice_ufrag, parsed.ice_pwd))
        return build_fragment(self._transport(peer), peer.mid), peer.etag

    async def add_candidates(self, session_id: str, fragment: str) -> None:
        """Take note of a viewer's candidates: an ICE-lite agent learns addresses from checks alone."""
        self._peer(session_id)
        _parse_fragment(fragment)

    def viewer(self, session_id: str) -> Viewer:
        """Return what a session shows, and to whom. Raises UnknownSession."""
        peer = self._peer(session_id)
        return Viewer(peer.camera, self._identities[peer])

    def ice_servers(self, identity: Identity) -> tuple[IceServer, ...]:
        """Return the servers that help a viewer to a path; see `serve.http.engine.MediaEngine`."""
        return self._ice_servers.for_viewer(identity.name, identity.expires_at)

    @property
    def has_ice_servers(self) -> bool:
        """Say whether there are any such servers."""
        return self._ice_servers.are_configured

    async def close_viewer(self, session_id: str) -> bool:
        """End a session; False when there is no such session."""
        peer = self._endpoint.peer(session_id)
        if peer is None:
            return False
        peer.leave("the viewer left", gave_up=True)
        await peer.wait_closed()
        return True

    async def wait_viewer_closed(self, session_id: str) -> str:
        """Wait until a session has ended; returns the reason in words."""
        peer = self._endpoint.peer(session_id)
        return "the session has ended" if peer is None else await peer.wait_closed()

    def _peer(self, session_id: str) -> Peer:
        peer = self._endpoint.peer(session_id)
        if peer is None:
            raise UnknownSession(session_id)
        return peer

    async def snapshot(self, camera: str, width: int) -> Picture:
        """Make a JPEG of the last key frame; see `serve.http.engine.MediaEngine`."""
        source = self._registry.get(camera)
        with source.want():
            await source.wait_live(SNAPSHOT_WAIT_S if source.demand is None else ON_DEMAND_WAIT_S)
            snapshot = await self.snapshots.take(source.stream, width)
        return Picture(snapshot.jpeg, snapshot.etag)

    def has_camera(self, name: str) -> bool:
        """Say whether there is such a camera."""
        return self._registry.has(name)

    @property
    def max_viewers(self) -> int:
        """How many viewers there may be at once, by the settings of now."""
        return self._settings.server.max_viewers

    def groups(self, name: str) -> tuple[str, ...]:
        """Return the groups that a camera is in."""
        camera = self._settings.cameras.get(name)
        return camera.groups if camera else ()

    def camera_names(self) -> list[str]:
        """Return the names of all cameras, in the order of the configuration."""
        return [source.name for source in self._registry.sources()]

    def cameras(self, names: Collection[str] | None = None) -> list[dict[str, object]]:
        """Describe cameras, ready for JSON; see `serve.http.engine.MediaEngine`."""
        sent: dict[str, list[Choice]] = {}
        for peer in self._endpoint.peers():
            sent.setdefault(peer.camera, []).append(self._choices[peer])
        readers = self._rtsp.count_by_camera() if self._rtsp else {}
        return [
            {
                **_describe(source, sent.get(source.name, [])),
                "rtsp_clients": readers.get(source.name, 0),
                "audio": self._describe_sound(source),
                "transcoders": [_rounded(shallow(each)) for each in self.transcoders.statistics(source.stream)],
            }
            for source in self._registry.sources()
            if names is None or source.name in names
        ]

    def _describe_sound(self, source: Source) -> dict[str, object] | None:
        if source.audio is None:
            return None
        made_into = OPUS.codec if self.sounds.is_making(source.audio) else None
        return {**_rounded(shallow(source.audio.statistics())), "made_into": made_into}

    def audience(self) -> list[dict[str, object]]:
        """Describe who watches, ready for JSON; see `serve.http.engine.MediaEngine`."""
        peers, clients = self._endpoint.peers(), self._rtsp.clients() if self._rtsp else ()
        browsers = (describe_browser(peer.statistics(), self._choices[peer], self._identities[peer]) for peer in peers)
        return [_rounded(each) for each in (*browsers, *map(describe_player, clients))]

    def send_away(self, camera: str, viewer_id: str) -> bool:
        """Send somebody away; see `serve.http.engine.MediaEngine`."""
        for peer in self._endpoint.peers():
            if peer.camera == camera and peer.label == viewer_id:
                peer.leave("an operator has ended it")
                return True
        return self._rtsp is not None and self._rtsp.end(camera, viewer_id)

    def admit_reader(self) -> None:
        """Let one more RTSP client play, as an offer would be let in. Raises MachineAtLimit."""
        now = trio.current_time()
        self.load.admission.check(self._endpoint.viewer_count, now)
        self.load.admission.admit(now)

    def server(self) -> dict[str, object]:
        """Describe this machine's load and limits, ready for JSON; see `serve.http.engine.MediaEngine`."""
        watch = self.load.statistics()
        return {
            "viewers": self._endpoint.viewer_count,
            "viewers_by_transport": self._endpoint.viewers_by_transport(),
            "load": _rounded(shallow(watch.load)),
            "limits": {"max_viewers": self._settings.server.max_viewers, **watch.limits},
            "at_limit": watch.admission.at_limit,
            "joins_admitted": watch.admission.admitted,
            "joins_refused": watch.admission.refused,
            "connects_failed": self._endpoint.failures.by_reason(),
            "sheds": watch.sheds,
            "rtsp": shallow(self._rtsp.statistics()) if self._rtsp else None,
            "queues": _queues([source.statistics() for source in self._registry.sources()]),
        }

    def revision(self) -> int:
        """Return the counter of camera changes."""
        return self._registry.revision

    def changed_since(self, revision: int) -> list[str]:
        """Return the cameras that changed after `revision`."""
        return self._registry.changed_since(revision)

    async def wait_changed(self, revision: int) -> int:
        """Wait until the counter is no longer `revision`; returns its value."""
        return await self._registry.wait_changed(revision)


def _describe(source: Source, choices: list[Choice]) -> dict[str, object]:
    return {
        **_rounded(shallow(source.statistics())),
        "sub": None if source.sub is None else _describe_sub(source.sub.statistics()),
        "viewers": len(choices),
        "sent": _describe_sent(choices),
    }


def _describe_sub(statistics: SourceStatistics) -> dict[str, object]:
    return _rounded({name: getattr(statistics, name) for name in SUB_FIGURES})


def _describe_sent(choices: list[Choice]) -> list[dict[str, object]]:
    """Say what viewers get and why, those who get the same in one entry, the largest group first."""
    groups = Counter((choice.codec.name, choice.way, choice.why) for choice in choices)
    return [
        {"codec": codec, "way": way, "why": why, "viewers": viewers}
        for (codec, way, why), viewers in groups.most_common()
    ]


def _queues(streams: list[SourceStatistics]) -> dict[str, dict[str, float]]:
    """Describe what is bounded and by what, and the fullest one there is now."""
    return {
        "reader": {
            "max_bytes": MAX_QUEUE_BYTES,
            "max_age_s": MAX_QUEUE_AGE_S,
            "bytes": max((stream.queued_bytes for stream in streams), default=0),
            "age_s": round(max((stream.queue_age_s for stream in streams), default=0.0), 3),
        },
        "key_frame_cache": {
            "max_bytes": MAX_CACHE_BYTES,
            "max_age_s": MAX_CACHE_S,
            "bytes": max((stream.cache_bytes for stream in streams), default=0),
        },
    }


def _rounded(figures: dict[str, Any]) -> dict[str, object]:
    return {key: _round(value) for key, value in figures.items()}


def _round(value: object) -> object:
    if isinstance(value, float):
        return round(value, 3)
    return _rounded(shallow(value)) if is_dataclass(value) else value


def _parse_fragment(text: str) -> Fragment:
    try:
        return parse_fragment_untrusted(text)
    except FragmentMalformed as exc:
        raise UnprocessableFragment(exc.reason) from exc
