"""Which keys a config has, and what each may be. A test holds it against the model and against `etc/camgate.toml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from camgate.config.checks import (
    Check,
    directory,
    fingerprint,
    frame_ancestor,
    ha1,
    host_name,
    list_of,
    listen_address,
    listen_address_or_none,
    network,
    number,
    one_of,
    one_or_several,
    onvif_service,
    origin,
    password_hash,
    pattern,
    plain_name,
    role_words,
    safe_web_address,
    seconds,
    stun_url,
    sub_table,
    tables,
    text,
    text_or_none,
    transport,
    turn_url,
    turn_user,
    web_address,
    whole_number,
    yes_or_no,
)
from camgate.config.model import (
    WEBHOOK_EVENTS,
    AuthSettings,
    HealthSettings,
    LimitSettings,
    LoggingSettings,
    MetricsSettings,
    PerformanceSettings,
    ReloadSettings,
    RtspServerSettings,
    ServerSettings,
    TranscodeSettings,
    WebRtcSettings,
)

CAMERAS = "cameras"
WEBHOOKS = "webhooks"
SUB = "sub"


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the config and the settings class that it fills."""

    settings: type
    keys: Mapping[str, Check[Any]]


SECTIONS: Mapping[str, Section] = {
    "server": Section(
        ServerSettings,
        {
            "listen": listen_address,
            "tls_certificate": text_or_none,
            "tls_key": text_or_none,
            "redirect_listen": listen_address_or_none,
            "hsts_s": whole_number(0, 63_072_000),
            "max_viewers": whole_number(1, 1_000_000),
            "allowed_hosts": list_of(host_name, example='["cameras.example.org"]'),
            "trusted_proxies": list_of(network, example='["127.0.0.1", "10.0.0.0/8"]'),
            "cors_origins": list_of(origin, example='["https://example.org"]'),
            "frame_ancestors": list_of(frame_ancestor, example="""["'self'"]""", least=1),
            "unix_socket": text_or_none,
            "state_directory": directory,
            "shutdown_deadline_s": seconds(0.1, 60),
        },
    ),
    "webrtc": Section(
        WebRtcSettings,
        {
            "port": whole_number(0, 65535),
            "tcp": yes_or_no,
            "advertise": list_of(host_name, example='["auto", "203.0.113.7"]', least=1),
            "stun": list_of(stun_url, example='["stun:stun.example.org:3478"]'),
            "turn": tables('[webrtc.turn.NAME] with urls = ["turn:turn.example.org:3478"] below it'),
        },
    ),
    "rtsp_server": Section(
        RtspServerSettings,
        {
            "listen": listen_address_or_none,
            "udp": yes_or_no,
            "tls_certificate": text_or_none,
            "tls_key": text_or_none,
            "max_clients": whole_number(1, 100_000),
            "max_clients_per_address": whole_number(1, 100_000),
            "users": tables("[rtsp_server.users.NAME] with password or ha1 below it"),
        },
    ),
    "auth": Section(
        AuthSettings,
        {
            "users": tables("[auth.users.NAME] with password_hash and roles below it"),
            "roles": tables('[auth.roles.NAME] with view = ["*"] below it'),
            "issuers": tables("[auth.issuers.NAME] with issuer, audience and jwks_url below it"),
            "callback": tables('[auth.callback] with url = "https://…" below it'),
            "session_days": number(0.01, 3650, "days"),
        },
    ),
    "limits": Section(
        LimitSettings,
        {
            "max_load": number(0.05, 2),
            "max_lag_s": seconds(0.01, 60),
            "max_delay_s": seconds(0.01, 60),
            "requests_per_s": number(0, 1_000_000),
            "requests_burst": whole_number(1, 1_000_000),
            "offers_per_s": number(0, 1_000_000),
            "offers_burst": whole_number(1, 1_000_000),
            "max_viewers_per_user": whole_number(0, 1_000_000),
            "max_connections_per_address": whole_number(0, 1_000_000),
            "max_memory_mb": whole_number(0, 100_000_000),
        },
    ),
    "health": Section(
        HealthSettings,
        {
            "period_s": seconds(1, 3600),
            "misses": whole_number(1, 1000),
            "min_fps_share": number(0, 1),
            "max_loss_share": number(0, 1),
            "max_key_frame_age_s": seconds(1, 86_400),
        },
    ),
    "transcode": Section(
        TranscodeSettings,
        {
            "max_streams": whole_number(0, 1000),
            "hardware": one_of("auto", "off", "nvenc", "qsv", "v4l2m2m"),
            "max_width": whole_number(160, 8192),
            "max_kbps": whole_number(100, 100_000),
            "linger_s": seconds(1, 3600),
        },
    ),
    "logging": Section(
        LoggingSettings,
        {
            "level": one_of("debug", "info", "warning", "error"),
            "output": one_of("console", "file", "both"),
            "directory": directory,
            "max_size_mb": whole_number(1, 1_000_000),
            "max_backups": whole_number(0, 100_000),
            "max_age_days": whole_number(0, 100_000),
        },
    ),
    "reload": Section(ReloadSettings, {"watch": yes_or_no}),
    "performance": Section(PerformanceSettings, {"gc": whole_number(0, 10_000_000)}),
    "metrics": Section(MetricsSettings, {"listen": listen_address_or_none, "open": yes_or_no}),
}

USER_KEYS: Mapping[str, Check[Any]] = {
    "password": text,
    "password_file": text,
    "ha1": one_or_several(ha1),
}
"""Of `[rtsp_server.users.NAME]`; what they say together is read in `users`."""

TURN_KEYS: Mapping[str, Check[Any]] = {
    "urls": list_of(turn_url, example='["turn:turn.example.org:3478"]', least=1),
    "secret": text,
    "secret_file": text,
    "lifetime_s": seconds(60, 30 * 86_400),
    "username": turn_user,
    "password": text,
    "password_file": text,
}
"""Of `[webrtc.turn.NAME]`; what the login keys say together is read in `turn`."""

ACCOUNT_KEYS: Mapping[str, Check[Any]] = {
    "password_hash": password_hash,
    "password_hash_file": text,
    "roles": list_of(plain_name, example='["viewer"]', least=1),
}
"""Of `[auth.users.NAME]`; what they say together is read in `accounts`."""

ROLE_KEYS: Mapping[str, Check[Any]] = {
    action: list_of(pattern, example='["front*", "group:outside"]')
    for action in ("view", "playback", "control", "admin")
}
"""Of `[auth.roles.NAME]`."""

ISSUER_KEYS: Mapping[str, Check[Any]] = {
    "issuer": text,
    "audience": one_or_several(text),
    "jwks_url": safe_web_address,
    "jwks_file": text,
    "algorithms": list_of(
        one_of("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"),
        example='["RS256"]',
        least=1,
    ),
    "user_claim": text,
    "roles_claim": text,
    "roles": role_words,
    "default_roles": list_of(plain_name, example='["viewer"]'),
}
"""Of `[auth.issuers.NAME]`. Algorithms whose key is a secret are none of them: a public key must not pass for one."""

CALLBACK_KEYS: Mapping[str, Check[Any]] = {
    "url": web_address,
    "timeout_s": seconds(0.1, 30),
    "cache_s": seconds(0, 3600),
}
"""Of `[auth.callback]`."""

WEBHOOK_KEYS: Mapping[str, Check[Any]] = {
    "url": web_address,
    "secret": text,
    "secret_file": text,
    "events": list_of(one_of(*WEBHOOK_EVENTS), example='["camera.down"]', least=1),
    "after_s": seconds(0, 3600),
}
"""Of `[webhooks.NAME]`; what the secret has to be is read in `webhooks`."""

CAMERA_KEYS: Mapping[str, Check[Any]] = {
    "url": text,
    "username": text,
    "password": text,
    "password_file": text,
    "title": text,
    "transport": transport,
    "tls_fingerprint": fingerprint,
    "tls_insecure": yes_or_no,
    "audio": yes_or_no,
    "connect_timeout_s": seconds(0.1, 300),
    "stall_timeout_s": seconds(0.5, 3600),
    "on_demand": yes_or_no,
    "linger_s": seconds(1, 86_400),
    "expected_fps": number(0.01, 240, "frames a second"),
    "onvif": onvif_service,
    "max_viewers": whole_number(0, 1_000_000),
    "groups": list_of(plain_name, example='["outside"]'),
    SUB: sub_table,
}
"""Of `[cameras.NAME]`; what the login keys say together is read in `cameras`."""

SUB_KEYS: Mapping[str, Check[Any]] = {
    key: CAMERA_KEYS[key]
    for key in ("url", "username", "password", "password_file", "transport", "tls_fingerprint", "tls_insecure")
}
"""Of `[cameras.NAME.sub]`; all else is as the camera has it."""
