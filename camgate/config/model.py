"""camgate's settings: one tree of frozen dataclasses, a docstring and a unit per field.

Only shapes and defaults; `schema` knows what each may be, and `load` turns a file and the environment into them, or
into errors that name the key. `etc/camgate.toml` explains each key to its users.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from camgate.base.collector import YOUNG_OBJECTS
from camgate.wire.rtsp.auth import Ha1s

AUTO = "auto"
"""In `webrtc.advertise`: all addresses that this machine has itself. As `server.unix_socket`: the usual place."""
STUN = "stun"
"""In `webrtc.advertise`: the address by which STUN servers see this machine."""


class Transport(Enum):
    """How media comes from the camera."""

    AUTO = "auto"
    """TCP, and UDP where the camera refuses TCP."""
    TCP = "tcp"
    """In the RTSP connection."""
    UDP = "udp"
    """In datagrams, on a pair of ports."""
    HTTP = "http"
    """The RTSP connection, media in it, in two HTTP requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The HTTP listener: pages, WHEP, WebSocket and API."""

    listen: str = "127.0.0.1:8107"
    """`ADDRESS:PORT`, `[IPV6]:PORT` or `localhost:PORT`; port 0 takes a free one."""
    tls_certificate: str = ""
    """File with the certificate chain in PEM: the listener then speaks HTTPS. Empty: plain HTTP."""
    tls_key: str = ""
    """File with its key in PEM; empty where the certificate's file holds it."""
    redirect_listen: str = ""
    """Where plain HTTP is answered with the way to HTTPS. Empty: nowhere."""
    hsts_s: int = 0
    """How long browsers shall use HTTPS only, in seconds (RFC 6797); 0 for not to say so."""
    max_viewers: int = 1000
    """Viewers at a time; one more is answered 503."""
    allowed_hosts: tuple[str, ...] = ()
    """Names that browsers may call this server by, without ports. Empty: on loopback localhost only, else any name."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of reverse proxies whose X-Forwarded headers are believed."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may use WHEP and the API, such as `https://example.org`; `*` for all."""
    frame_ancestors: tuple[str, ...] = ("'self'",)
    """Whose pages may embed `/embed/NAME`: sources of the CSP directive frame-ancestors."""
    unix_socket: str = AUTO
    """Path of the control socket, over which its owner and its group need no password; `auto` for the usual place
    (`config.control`). Empty: none."""
    state_directory: Path | None = None
    """Where keys and what must survive a restart are kept; None for the system's usual place (`config.state`)."""
    shutdown_deadline_s: float = 3.0
    """How long the end of a run may take to tell viewers and cameras, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSettings:
    """A TURN server that viewers may use: let in by a `secret`, or by `username` and `password`."""

    urls: tuple[str, ...]
    """`turn:HOST:PORT` or `turns:HOST:PORT`, with or without `?transport=udp` or `?transport=tcp`."""
    secret: str | None = field(default=None, repr=False)
    """What credentials that end are made of (coturn's `static-auth-secret`)."""
    lifetime_s: float = 86_400.0
    """How long a viewer may use the credentials that are made for it, in seconds."""
    username: str | None = None
    """The same for all viewers, and for ever."""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRtcSettings:
    """The one port that all viewers share, the addresses that answers name, and servers that help viewers to a path."""

    port: int = 8108
    """UDP port of all media, and TCP port of the same number; 0 takes a free one."""
    tcp: bool = True
    """Whether viewers whose network lets no UDP through may connect by TCP."""
    advertise: tuple[str, ...] = (AUTO,)
    """Addresses or names by which viewers reach this machine; `auto` stands for its own addresses, `stun` for what STUN
    servers see."""
    stun: tuple[str, ...] = ()
    """STUN servers, `stun:HOST:PORT`: viewers are told of them, and `stun` in `advertise` asks them."""
    turn: Mapping[str, TurnSettings] = field(default_factory=dict)
    """TURN servers that viewers are told of, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    """`/metrics` for Prometheus on a listener of its own; on `server.listen` it is always there."""

    listen: str = ""
    """`ADDRESS:PORT`, `[IPV6]:PORT` or `localhost:PORT`; plain HTTP. Empty: no listener of its own."""
    open: bool = False
    """Whether this listener asks nobody who they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspServerSettings:
    """The RTSP listener: every camera at `rtsp://HOST:PORT/NAME`."""

    listen: str = ""
    """`ADDRESS:PORT`, `[IPV6]:PORT` or `localhost:PORT`; port 0 takes a free one. Empty: no RTSP server."""
    udp: bool = True
    """Whether clients may have media by UDP, which leaves from the UDP port of the same number and the next."""
    tls_certificate: str = ""
    """File with the certificate chain in PEM: the listener then speaks RTSPS, and no UDP. Empty: plain RTSP."""
    tls_key: str = ""
    """File with its key in PEM; empty where the certificate's file holds it."""
    max_clients: int = 200
    """Clients that play at a time; one more is answered 503."""
    max_clients_per_address: int = 100
    """The same for one address, so that nobody takes all places."""
    users: Mapping[str, Ha1s] = field(default_factory=dict, repr=False)
    """Who may play, and what is kept of their passwords; nobody is asked for one where there are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleSettings:
    """What everybody with a role may do: patterns of camera names, or of groups behind `group:`, for each action."""

    view: tuple[str, ...] = ()
    """Watch live, hear, snapshots, state."""
    playback: tuple[str, ...] = ()
    """Watch what was recorded."""
    control: tuple[str, ...] = ()
    """Change what a camera does, and cut its viewers."""
    admin: tuple[str, ...] = ()
    """Change how it is configured; holds the other three."""


BUILT_IN_ROLES: Mapping[str, RoleSettings] = {
    "admin": RoleSettings(admin=("*",)),
    "viewer": RoleSettings(view=("*",), playback=("*",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSettings:
    """Somebody who signs in."""

    name: str
    """As it is typed at the sign-in page."""
    password_hash: str = field(repr=False)
    """Of argon2id, in PHC format, as `camgate user hash` prints it."""
    roles: tuple[str, ...]
    """Names of roles; all that any of them allows is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """Somebody else who signs tokens that camgate takes."""

    name: str
    """What camgate calls it."""
    issuer: str
    """What its tokens hold as `iss`, letter for letter."""
    audience: tuple[str, ...]
    """What its tokens hold as `aud` when they are for camgate; one of these."""
    jwks_url: str | None = field(default=None, repr=False)
    """Where its public keys are (RFC 7517)."""
    jwks_file: Path | None = None
    """Instead: a file with them."""
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    """What it may sign with."""
    user_claim: str = "sub"
    """Where a token says who one is."""
    roles_claim: str = "roles"
    """Where a token says what one is; dots lead into objects."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """From words of `roles_claim` to roles; other words count for nothing. Empty where they are names of roles."""
    default_roles: tuple[str, ...] = ()
    """Roles of everybody with a token of this issuer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackSettings:
    """A server of the operator's that is asked who may do what."""

    url: str = field(repr=False)
    """Where it is asked, by POST."""
    timeout_s: float = 3.0
    """How long an answer may take, in seconds."""
    cache_s: float = 10.0
    """How long an answer is remembered, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Who may see and do what. Where nothing of it is on, everybody who reaches the listener may do everything."""

    users: Mapping[str, UserSettings] = field(default_factory=dict)
    """By name."""
    roles: Mapping[str, RoleSettings] = field(default_factory=lambda: BUILT_IN_ROLES)
    """By name, the built-in ones among them."""
    issuers: Mapping[str, IssuerSettings] = field(default_factory=dict)
    """By name."""
    callback: CallbackSettings | None = None
    """None where nobody else is asked."""
    session_days: float = 30.0
    """How long a browser stays signed in, in days."""

    @property
    def is_on(self) -> bool:
        """Whether there is any way to say who one is, and so whether everybody has to."""
        return bool(self.users or self.issuers or self.callback)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """How far this machine may be loaded before joins are refused, so that those who watch do not suffer."""

    max_load: float = 0.85
    """Share of one processor core, as one thread does all the work; above 1 for no limit."""
    max_lag_s: float = 0.1
    """How late tasks may get their turn, in seconds."""
    max_delay_s: float = 0.15
    """How long a frame may take from its arrival to its last viewer, in seconds."""
    requests_per_s: float = 200.0
    """HTTP requests a second of one address in the long run; 0 for no limit."""
    requests_burst: int = 2000
    """HTTP requests of one address at once."""
    offers_per_s: float = 50.0
    """Viewers that one address, and one user, may start a second in the long run; 0 for no limit."""
    offers_burst: int = 600
    """Viewers that one address, and one user, may start at once."""
    max_viewers_per_user: int = 200
    """Viewers of one user at a time; one more is answered 429. 0 for no limit."""
    max_connections_per_address: int = 1000
    """HTTP connections of one address at a time; 0 for no limit."""
    max_memory_mb: int = 0
    """Resident memory, workers included, in megabytes (10^6 bytes); 0 for 80 % of what the machine or container has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """When a camera counts as unhealthy."""

    period_s: float = 5.0
    """Between two looks at a camera, in seconds."""
    misses: int = 3
    """So many bad looks in a row make it unhealthy; one good look makes it healthy again."""
    min_fps_share: float = 0.3
    """A look is bad below this share of the expected frame rate; 0 to ignore the rate."""
    max_loss_share: float = 0.1
    """A look is bad where more than this share of the packets was lost; 1 to ignore losses."""
    max_key_frame_age_s: float = 60.0
    """A look is bad where the last key frame is longer ago, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeSettings:
    """Making other streams of what cameras send, for browsers that do not play it."""

    max_streams: int = 4
    """Cameras that are transcoded at a time, one more for each other codec; 0 for none."""
    hardware: str = "auto"
    """`auto` (whatever works), `off`, `nvenc`, `qsv` or `v4l2m2m`; software where it does not work."""
    max_width: int = 1920
    """A wider picture is made smaller, in pixels."""
    max_kbps: int = 4000
    """Of each stream that is made, in kbit/s (1,000 bits a second)."""
    linger_s: float = 5.0
    """How long a transcoder goes on without viewers, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """Where log lines go."""

    level: str = "info"
    """The least severe lines to write: `debug`, `info`, `warning` or `error`."""
    output: str = "console"
    """`console`, `file` or `both`."""
    directory: Path = Path("logs")
    """Where the daily files are; relative to the working directory."""
    max_size_mb: int = 500
    """A file that would grow beyond it is continued in another, in megabytes (10^6 bytes)."""
    max_backups: int = 15
    """Files kept beside the current one; 0 for all."""
    max_age_days: int = 15
    """Files of older days are deleted; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadSettings:
    """When the config file is read anew, other than when somebody says so."""

    watch: bool = False
    """Whether a file that has changed is read by itself."""


WEBHOOK_EVENTS = ("camera.up", "camera.down", "camera.stalled")
"""What receivers of webhooks may be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """A server that is told what becomes of cameras."""

    url: str = field(repr=False)
    """Where it is told, by POST; who knows it may often post there."""
    secret: str = field(repr=False)
    """What messages are signed with, as Standard Webhooks writes it: `whsec_` and base64."""
    events: tuple[str, ...] = WEBHOOK_EVENTS
    """What it is told of."""
    after_s: float = 5.0
    """How long a camera must be away before that is told, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceSettings:
    """How this process deals with the machine."""

    gc: int = YOUNG_OBJECTS
    """How many objects pile up before Python's collector of reference circles looks at them; 0 leaves it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One camera. `url` never holds credentials: `load` moves them to `username` and `password`."""

    name: str
    """What stands in URLs and logs."""
    url: str
    """`rtsp://HOST[:PORT]/PATH`, or `rtsps://` for TLS."""
    username: str | None = None
    """For the camera's login; None where it asks for none."""
    password: str | None = field(default=None, repr=False)
    """From `password`, `password_file` or the URL."""
    title: str | None = None
    """What pages call the camera; the name where absent."""
    transport: Transport = Transport.AUTO
    """How media comes from the camera."""
    tls_fingerprint: str | None = None
    """`sha256:` and 64 hexadecimal digits: the only certificate to take, whoever signed it. None for authorities."""
    tls_insecure: bool = False
    """Take any certificate: encrypted, but by who knows whom."""
    audio: bool = True
    """Whether its sound is fetched, and offered to viewers."""
    connect_timeout_s: float = 5.0
    """How long a connect, and each answer of the camera, may take, in seconds."""
    stall_timeout_s: float = 5.0
    """No frame for so long means that the session is dead: hang up and connect again. In seconds."""
    on_demand: bool = False
    """Connected only while somebody watches; otherwise always."""
    linger_s: float = 30.0
    """How long a camera on demand stays connected after its last viewer, in seconds."""
    expected_fps: float | None = None
    """Frames a second that it should send; None for what it claims itself, or else what it has sent on average."""
    onvif: str | None = None
    """`HOST[:PORT]` or URL of its ONVIF service, which is asked for key frames; None for not to ask."""
    max_viewers: int = 0
    """Viewers of this camera at a time; one more is answered 503. 0 for no limit of its own."""
    groups: tuple[str, ...] = ()
    """Names under which roles may speak of several cameras, as `group:NAME`."""
    sub: "CameraSettings | None" = None
    """Its sub-stream, for viewers who cannot be sent the main one; always on demand. None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a run of camgate needs to know."""

    cameras: dict[str, CameraSettings]
    """By name, in the order of the file."""
    server: ServerSettings = ServerSettings()
    webrtc: WebRtcSettings = WebRtcSettings()
    rtsp_server: RtspServerSettings = RtspServerSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    transcode: TranscodeSettings = TranscodeSettings()
    health: HealthSettings = HealthSettings()
    logging: LoggingSettings = LoggingSettings()
    reload: ReloadSettings = ReloadSettings()
    metrics: MetricsSettings = MetricsSettings()
    performance: PerformanceSettings = PerformanceSettings()
    webhooks: Mapping[str, WebhookSettings] = field(default_factory=dict)
    """By name."""
