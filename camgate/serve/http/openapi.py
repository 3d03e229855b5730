"""The API's description for programs and people: OpenAPI 3.1, written by hand and tested to list every route.

Its many lines are one document, read from top to bottom.
"""

from typing import Any

import camgate
from camgate.auth.identity import Way
from camgate.base.log_tail import KEPT_LINES
from camgate.serve.http.identity import SESSION_COOKIE
from camgate.serve.http.logs import LEVELS, MOST_NUMBER
from camgate.serve.http.problem import MEDIA_TYPE
from camgate.serve.http.snapshot import LEAST_WIDTH, MOST_WIDTH
from camgate.serve.http.whep import FRAGMENT, MAX_WAIT_S, SDP

_PROBLEM: dict[str, Any] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ATTENTION = ["refused", "video", "no-rtsp", "certificate"]
_DEMANDS = ["idle", "dialling", "watched", "lingering"]
_WAYS = ["as-is", "sub-stream", "transcoded"]
_TRANSPORTS = ["tcp", "udp", "tls", "http", "https"]
_STATES = ["idle", "connecting", "live", "stalled", "backoff", "stopped"]


def openapi_document(base: str = "/") -> dict[str, Any]:
    """The whole document, ready for JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "camgate",
            "version": camgate.__version__,
            "summary": "RTSP cameras in the browser over WebRTC.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base}],
        "paths": _whep_paths() | _api_paths() | _page_paths(),
        # Where there are no users, nobody is asked.
        "security": [{"basic": []}, {"bearer": []}, {"session": []}],
        "components": {
            "schemas": _schemas(),
            "parameters": _parameters(),
            "responses": _responses(),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
    }


def _whep_paths() -> dict[str, Any]:
    endpoint = {
        "parameters": [_ref("parameters", "camera")],
        "post": _operation(
            "Start a viewer",
            {
                "201": _sdp_answer("The answer; Location is the session's address", SDP, "Location", "ETag", "Link"),
                "404": _ref("responses", "Problem"),
                "406": _ref("responses", "Problem"),
                "413": _ref("responses", "Problem"),
                "415": _ref("responses", "Problem"),
                "503": _ref("responses", "Problem"),
            },
            parameters=[_ref("parameters", "wait")],
            requestBody=_body(SDP),
        ),
        "get": _operation("See whether this is WHEP", {"200": {"description": "It is"}}),
        "options": _operation(
            "Ask what POST takes", {"204": {"description": "Accept-Post names it, Link the STUN and TURN servers"}}
        ),
    }
    session = {
        "parameters": [_ref("parameters", "camera"), _ref("parameters", "session")],
        "patch": _operation(
            "Trickle or restart ICE",
            {
                "200": _sdp_answer("ICE is restarted; our new credentials", FRAGMENT, "ETag"),
                "204": {"description": "The candidates are taken"},
                "404": _ref("responses", "Problem"),
                "412": _ref("responses", "Problem"),
                "415": _ref("responses", "Problem"),
                "422": _ref("responses", "Problem"),
                "428": _ref("responses", "Problem"),
            },
            parameters=[_ref("parameters", "ifMatch")],
            requestBody=_body(FRAGMENT),
        ),
        "delete": _operation(
            "End a viewer", {"200": {"description": "It is ended"}, "404": _ref("responses", "Problem")}
        ),
        "get": _operation("Sessions have nothing to show", {"204": {"description": "Nothing"}}),
        "options": _operation("Ask what PATCH takes", {"204": {"description": "Accept-Patch names it"}}),
    }
    return {"/whep/{camera}": endpoint, "/whep/{camera}/{session}": session}


def _api_paths() -> dict[str, Any]:
    camera = {"$ref": "#/components/schemas/Camera"}
    status = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    return {
        "/signin": {
            "get": _open_operation("The page to sign in at", {"200": {"description": "HTML"}}),
            "post": _open_operation(
                "Sign in: sets the session's cookie",
                {
                    "200": _json("Who signed in", {"$ref": "#/components/schemas/Session"}),
                    "303": {"description": "It was a form: there one goes on"},
                    "400": _ref("responses", "Problem"),
                    "401": _ref("responses", "Problem"),
                    "403": _ref("responses", "Problem"),
                    "429": _ref("responses", "Problem"),
                    "503": _ref("responses", "Problem"),
                },
                requestBody={
                    "required": True,
                    "content": {
                        kind: {"schema": {"$ref": "#/components/schemas/Login"}}
                        for kind in ("application/json", "application/x-www-form-urlencoded")
                    },
                },
            ),
        },
        "/signout": {
            "post": _open_operation(
                "End the session", {"204": {"description": "It is ended"}, "403": _ref("responses", "Problem")}
            )
        },
        "/api/v1/session": {
            "get": _open_operation(
                "Who asks; null for nobody",
                {
                    "200": _json("Who", {"oneOf": [{"$ref": "#/components/schemas/Session"}, {"type": "null"}]}),
                    "401": _ref("responses", "Problem"),
                },
            )
        },
        "/healthz": {
            "get": _open_operation(
                "Is the process alive, and with `verbose`: how are its cameras",
                {"200": _json("It is", {"$ref": "#/components/schemas/Alive"})},
                parameters=[_ref("parameters", "verbose")],
            )
        },
        "/readyz": {"get": _open_operation("May viewers be sent here", {"200": _json("They may", status)})},
        "/metrics": {
            "get": _operation(
                "Figures for Prometheus, in its text format or as OpenMetrics",
                {"200": {"description": "All of them", "content": {"text/plain": {"schema": {"type": "string"}}}}},
            )
        },
        "/api/v1/cameras": {
            "get": _operation("List the cameras", {"200": _json("All cameras", {"type": "array", "items": camera})})
        },
        "/api/v1/cameras/{name}": {
            "parameters": [_ref("parameters", "name")],
            "get": _operation(
                "Show one camera", {"200": _json("The camera", camera), "404": _ref("responses", "Problem")}
            ),
        },
        "/api/v1/cameras/{name}/snapshot.jpg": {
            "parameters": [_ref("parameters", "name")],
            "get": _operation(
                "The camera's last key frame as JPEG",
                {
                    "200": _jpeg("The picture; it is the same for a second"),
                    "304": {"description": "As you know it"},
                    "400": _ref("responses", "Problem"),
                    "404": _ref("responses", "Problem"),
                    "503": _ref("responses", "Problem"),
                },
                parameters=[_ref("parameters", "width")],
            ),
        },
        "/api/v1/cameras/{name}/shares": {
            "parameters": [_ref("parameters", "name")],
            "get": _operation(
                "List the camera's share links",
                {"200": _json("All of them", {"type": "array", "items": _share_schema()})} | _refusals(403, 404, 409),
            ),
            "post": _operation(
                "Make a share link",
                {"201": _json("The link; its `url` stands only here", _share_schema())}
                | _refusals(400, 403, 404, 409, 415, 429),
                requestBody={"required": True, "content": {"application/json": {"schema": _wanted_share_schema()}}},
            ),
        },
        "/api/v1/cameras/{name}/shares/{share}": {
            "parameters": [_ref("parameters", "name"), _ref("parameters", "share")],
            "delete": _operation(
                "Take a share link back",
                {"204": {"description": "It is, and whoever watched by it is cut off"}} | _refusals(403, 404, 409),
            ),
        },
        "/share": {
            "get": _open_operation("The page behind a share link", {"200": {"description": "HTML"}}),
            "post": _open_operation(
                "Use a share link up: sets the cookie by which this browser may watch",
                {"200": _json("What it shows, and until when", {"type": "object"})} | _refusals(400, 409, 410, 503),
                requestBody={
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["secret"],
                                "properties": {"secret": {"type": "string", "minLength": 1, "maxLength": 256}},
                            }
                        }
                    },
                },
            ),
        },
        "/api/v1/server": {
            "get": _operation(
                "Show this machine's load and limits",
                {"200": _json("Figures now and since the start", {"$ref": "#/components/schemas/Server"})},
            )
        },
        "/api/v1/viewers": {
            "get": _operation(
                "List who watches cameras that one may control",
                {"200": _json("All of them", {"type": "array", "items": _viewer_schema()})},
                parameters=[_ref("parameters", "onlyCameras")],
            )
        },
        "/api/v1/cameras/{name}/viewers/{viewer}": {
            "parameters": [_ref("parameters", "name"), _ref("parameters", "viewer")],
            "delete": _operation(
                "End a viewer's session",
                {"204": {"description": "It ends; who still may view can come again"}} | _refusals(404),
            ),
        },
        "/api/v1/logs": {
            "get": _operation(
                "Show the latest lines of the log",
                {"200": _json("The oldest first", _log_schema())} | _refusals(400, 403),
                parameters=[_ref("parameters", name) for name in ("after", "limit", "level", "oneCamera")],
            )
        },
        **_config_paths(),
        "/api/v1/reload": {
            "post": _operation(
                "Read the config file anew and take it",
                {"200": _json("What has changed", {"$ref": "#/components/schemas/Reloaded"})}
                | _refusals(403, 409, 422),
            )
        },
        "/api/v1/openapi.json": {
            "get": _open_operation("This document", {"200": _json("OpenAPI 3.1", {"type": "object"})}),
        },
        "/ws": {
            "get": _open_operation(
                "Signaling and camera states over WebSocket (docs/http.md)",
                {"101": {"description": "WebSocket"}, "426": _ref("responses", "Problem")},
                parameters=[_ref("parameters", "watched")],
            )
        },
    }


def _config_paths() -> dict[str, Any]:
    configured = {"$ref": "#/components/schemas/ConfiguredCamera"}
    keys = {
        "type": "object",
        "description": "Keys of [cameras.NAME] in etc/camgate.toml.",
        "examples": [{"title": "The gate", "on_demand": True, "password": None}],
    }
    new = {
        **keys,
        "required": ["name", "url"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "description": "As in URLs."},
            "url": {"type": "string", "description": "rtsp:// or rtsps://, without a login."},
            "username": {"type": "string"},
            "password": {"type": "string"},
        },
        "examples": [
            {
                "name": "gate",
                "url": "rtsp://192.0.2.12/live",
                "username": "viewer",
                "password": "hush-hush",
                "on_demand": True,
            }
        ],
    }
    name = [_ref("parameters", "name")]
    return {
        "/api/v1/config": {
            "get": _operation(
                "What runs, secrets masked", {"200": _json("By section", {"type": "object"})} | _refusals(403, 409)
            )
        },
        "/api/v1/config/cameras": {
            "get": _operation(
                "How all cameras are configured",
                {"200": _json("All of them", {"type": "array", "items": configured})} | _refusals(403, 409),
            ),
            "post": _operation(
                "Add a camera, for good",
                {"201": _json("How it is configured", configured)} | _refusals(400, 403, 409, 415, 422, 507),
                requestBody={"required": True, "content": {"application/json": {"schema": new}}},
            ),
        },
        "/api/v1/config/cameras/{name}": {
            "parameters": name,
            "get": _operation(
                "How a camera is configured", {"200": _json("So", configured)} | _refusals(403, 404, 409)
            ),
            "patch": _operation(
                "Change keys of a camera that was added here; null takes one away (RFC 7396)",
                {"200": _json("How it is configured now", configured)} | _refusals(400, 403, 404, 409, 415, 422, 507),
                requestBody={"required": True, "content": {"application/json": {"schema": keys}}},
            ),
            "delete": _operation(
                "Remove a camera that was added here",
                {"204": {"description": "It is, and its viewers were told"}} | _refusals(403, 404, 409, 507),
            ),
        },
        "/api/v1/config/probe": {
            "post": _operation(
                "Look at a camera for some seconds: what it sends, and what browsers get of it",
                {"200": _json("What was found, or why it could not be looked at", _probe_schema())}
                | _refusals(400, 403, 404, 409, 415, 422, 429),
                requestBody={"required": True, "content": {"application/json": {"schema": keys}}},
            ),
        },
        **{
            f"/api/v1/config/cameras/{{name}}/{switch}": {
                "parameters": name,
                "post": _operation(
                    f"{switch.capitalize()} a camera, for good",
                    {"200": _json("How it is configured", configured)} | _refusals(403, 404, 409, 507),
                ),
            }
            for switch in ("enable", "disable")
        },
    }


def _probe_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "error": {"type": ["string", "null"], "description": "Why it could not be looked at, in a sentence."},
            "is_playable": {"type": "boolean", "description": "Whether browsers get a picture."},
            "found": {"type": ["object", "null"], "description": "As `camgate probe --json` prints it."},
            "picture": {"type": ["string", "null"], "description": "A key frame as JPEG, in base64."},
        },
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _ref("responses", "Problem") for status in statuses}


def _wanted_share_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "seconds": {"type": "number", "description": "For how long; either this or `until`."},
            "until": {"type": "number", "description": "Until when, as Unix time."},
            "label": {"type": "string", "maxLength": 100},
        },
        "oneOf": [{"required": ["seconds"]}, {"required": ["until"]}],
        "examples": [{"seconds": 7200, "label": "The postman"}],
    }


def _reloaded_schema() -> dict[str, Any]:
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "required": ["added", "removed", "changed", "restarted", "settings", "at_next_start", "ended"],
        "properties": {
            "added": {**names, "description": "Cameras, by name."},
            "removed": {**names, "description": "Cameras, by name."},
            "changed": {
                "type": "object",
                "description": "By camera, the keys that differ.",
                "additionalProperties": names,
            },
            "restarted": {**names, "description": "Those that are connected to anew."},
            "settings": {**names, "description": "Paths of other keys that hold from now on."},
            "at_next_start": {**names, "description": "Paths of keys that a running camgate cannot change."},
            "ended": {"type": "integer", "description": "Viewers and others who were cut off, as they may no more."},
        },
    }


def _share_schema() -> dict[str, Any]:
    text, time = {"type": "string"}, {"type": "number", "description": "Unix time"}
    return {
        "type": "object",
        "required": ["id", "camera", "label", "made_by", "made_at", "until", "opened_at"],
        "properties": {
            "id": text,
            "camera": text,
            "label": text,
            "made_by": text,
            "made_at": time,
            "until": time,
            "opened_at": {"type": ["number", "null"], "description": "Unix time; null for not yet."},
            "url": {**text, "description": "The link, once: when it is made."},
            "note": {**text, "description": "When it is made: why it ends earlier than was asked for."},
        },
    }


def _page_paths() -> dict[str, Any]:
    page = {"200": {"description": "HTML", "content": {"text/html": {}}}}
    not_found = {"description": "No such camera: HTML for who accepts it", "content": {"text/html": {}, **_PROBLEM}}
    page_or_not = page | {"404": not_found}
    name = [_ref("parameters", "name")]
    return {
        "/": {"get": _operation("The wall of cameras", page)},
        "/admin": {"get": _operation("The page where cameras are managed", page)},
        "/camera/{name}": {"parameters": name, "get": _operation("One camera's page", page_or_not)},
        "/embed/{name}": {"parameters": name, "get": _operation("The bare player", page_or_not)},
        "/static/{name}": {
            "parameters": name,
            "get": _open_operation(
                "A file of the pages",
                {"200": {"description": "The file"}, "304": {"description": "As you know it"}}
                | {"404": _ref("responses", "Problem")},
            ),
        },
    }


def _schemas() -> dict[str, Any]:
    number, text, count, flag = ({"type": [kind, "null"]} for kind in ("number", "string", "integer", "boolean"))
    return {
        "Login": {
            "type": "object",
            "required": ["name", "password"],
            "properties": {key: {"type": "string", "minLength": 1, "maxLength": 1024} for key in ("name", "password")},
            "examples": [{"name": "anna", "password": "correct horse"}],
        },
        "Session": {
            "type": "object",
            "required": ["name", "way", "can_sign_out", "is_admin", "grants", "expires_at"],
            "properties": {
                "name": {"type": "string"},
                "way": {"type": "string", "enum": [way.value for way in Way]},
                "can_sign_out": {"type": "boolean", "description": "Whether there is a session to end."},
                "is_admin": {"type": "boolean", "description": "Whether everything is permitted."},
                "grants": {
                    "type": "object",
                    "description": "For each action the patterns of cameras that it is permitted with.",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "expires_at": {**number, "description": "When it ends, as Unix time; null for never."},
            },
        },
        "Reloaded": _reloaded_schema(),
        "ConfiguredCamera": {
            "type": "object",
            "required": ["name", "origin", "enabled", "settings"],
            "properties": {
                "name": {"type": "string"},
                "origin": {
                    "type": "string",
                    "enum": ["file", "api", "built-in"],
                    "description": "Where it can be changed.",
                },
                "enabled": {"type": "boolean"},
                "settings": {"type": ["object", "null"], "description": "Its keys, secrets as ***."},
            },
        },
        "Camera": {
            "type": "object",
            "required": ["name", "state"],
            "properties": {
                "name": {"type": "string"},
                "title": text,
                "state": {"type": "string", "enum": _STATES},
                "last_error": text,
                "needs_attention": {
                    "type": ["string", "null"],
                    "enum": [*_ATTENTION, None],
                    "description": "What a person must put right, as waiting does not; last_error says it in words.",
                },
                "healthy": {"type": "boolean", "description": "False after several bad looks in a row ([health])."},
                "health_reason": text,
                "demand": {
                    "type": ["string", "null"],
                    "enum": [*_DEMANDS, None],
                    "description": "What a camera on demand is connected for; null for one that always is.",
                },
                "codec": text,
                "profile": text,
                "has_b_frames": flag,
                "width": count,
                "height": count,
                "fps": number,
                "expected_fps": number,
                "bitrate_bps": number,
                "loss": {"type": "number", "description": "Share of the packets lost between the latest two looks."},
                "packets": {"type": "integer"},
                "packets_lost": {"type": "integer"},
                "packets_late": {"type": "integer"},
                "packets_reordered": {"type": "integer"},
                "packets_foreign": {"type": "integer"},
                "transport": {"type": ["string", "null"], "enum": [*_TRANSPORTS, None]},
                "frames_damaged": {"type": "integer"},
                "frames_skipped": {"type": "integer"},
                "frame_age_s": number,
                "key_frame_age_s": number,
                "gop_s": number,
                "cache_frames": count,
                "gop_outgrows_cache": {"type": "boolean"},
                "viewers": count,
                "rtsp_clients": count,
                "reconnects": count,
                "uptime_s": number,
                "audio": _audio_schema(),
                "sub": _sub_schema(),
                "sent": _sent_schema(),
                "transcoders": _transcoders_schema(),
            },
        },
        "Alive": _alive_schema(),
        "Server": _server_schema(),
        "Problem": {
            "type": "object",
            "description": "RFC 9457; detail says what to do.",
            "required": ["type", "title", "status", "detail"],
            "properties": {
                "type": {"type": "string", "format": "uri-reference"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "retry_after": {"type": "number", "description": "Seconds."},
                "errors": {
                    "type": "array",
                    "description": "What is wrong one by one, where several things may be.",
                    "items": {"type": "object", "properties": {"key": text, "detail": {"type": "string"}}},
                },
            },
        },
    }


def _sub_schema() -> dict[str, Any]:
    number, text, count, flag = ({"type": [kind, "null"]} for kind in ("number", "string", "integer", "boolean"))
    properties = {
        "state": {"type": "string", "enum": _STATES},
        "last_error": text,
        "codec": text,
        "profile": text,
        "has_b_frames": flag,
        "width": count,
        "height": count,
        "fps": number,
        "bitrate_bps": number,
    }
    return {
        "type": ["object", "null"],
        "description": "The camera's sub-stream; null where none is configured.",
        "required": [*properties],
        "properties": properties,
    }


def _transcoders_schema() -> dict[str, Any]:
    text, maybe_text = {"type": "string"}, {"type": ["string", "null"]}
    number, count, maybe_count = {"type": "number"}, {"type": "integer"}, {"type": ["integer", "null"]}
    properties = {
        "codec": text | {"description": "What is made."},
        "source_codec": text | {"description": "What it is made of."},
        "encoder": maybe_text,
        "is_hardware": {"type": "boolean"},
        "width": maybe_count,
        "height": maybe_count,
        "viewers": count,
        "fps": number,
        "bitrate_bps": number,
        "delay_s": number | {"description": "From a frame's arrival to that of what is made of it, lately."},
        "frames_dropped": count | {"description": "As this machine was far too slow; each time up to a key frame."},
        "pictures_skipped": count | {"description": "Decoded and not encoded, as it was a little too slow."},
        "frames_broken": count | {"description": "Refused by the decoder."},
        "restarts": count,
        "last_error": maybe_text,
    }
    return {
        "type": "array",
        "description": "Streams that are made of this camera's for browsers that lack its codec; empty mostly.",
        "items": {"type": "object", "required": [*properties], "properties": properties},
    }


def _sent_schema() -> dict[str, Any]:
    text = {"type": "string"}
    properties = {
        "codec": text,
        "way": {"type": "string", "enum": _WAYS},
        "why": text,
        "viewers": {"type": "integer"},
    }
    return {
        "type": "array",
        "description": "What viewers get, and why; those who get the same are one entry, the largest group first.",
        "items": {"type": "object", "required": [*properties], "properties": properties},
    }


def _audio_schema() -> dict[str, Any]:
    count, number = {"type": "integer"}, {"type": "number"}
    properties = {
        "codec": {"type": "string"},
        "clock_hz": count,
        "channels": count,
        "frames": count,
        "bytes": count,
        "bitrate_bps": number,
        "frame_age_s": {"type": ["number", "null"]},
        "listeners": count | {"description": "Viewers that are sent it, whether they have unmuted it or not."},
        "skew_s": number
        | {"description": "How much later than it arrives it is played, to be in time with the pictures."},
        "dropped_frames": count,
        "made_into": {
            "type": ["string", "null"],
            "description": "What viewers are sent, as browsers do not play the camera's codec; null where they do.",
        },
    }
    return {
        "type": ["object", "null"],
        "description": "The camera's sound; null where it has none that can be used.",
        "required": [*properties],
        "properties": properties,
    }


def _alive_schema() -> dict[str, Any]:
    counts = {name: {"type": "integer"} for name in ("total", "healthy", "unhealthy")}
    facts = {"name": {"type": "string"}, "state": {"type": "string", "enum": _STATES}}
    camera = facts | {"health_reason": {"type": "string"}}
    return {
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "string", "const": "alive"},
            "cameras": {"type": "object", "required": [*counts], "properties": counts},
            "unhealthy": {"type": "array", "items": {"type": "object", "required": [*camera], "properties": camera}},
        },
    }


def _viewer_schema() -> dict[str, Any]:
    text, count, number = {"type": "string"}, {"type": "integer"}, {"type": "number"}
    untold = "null where nothing of it is known, as of players by RTSP."
    properties = {
        "id": text | {"description": "What it is called here; nothing that would let one into its session."},
        "camera": text,
        "protocol": {"type": "string", "enum": ["webrtc", "rtsp"]},
        "address": {"type": ["string", "null"], "description": "Host and port that media go to; null before that."},
        "user": {"type": ["string", "null"]},
        "transport": {"type": ["string", "null"], "description": "tcp, udp, or of RTSP both as udp+tcp."},
        "is_connected": {"type": "boolean", "description": "Whether media go there."},
        "codec": {"type": ["string", "null"]},
        "way": {"type": "string", "enum": _WAYS},
        "has_sound": {"type": ["boolean", "null"]},
        "since_s": number,
        "packets_sent": count,
        "bytes_sent": count | {"description": "Of video by WebRTC, of all media by RTSP."},
        "frames_dropped": count | {"description": "Never sent, as it did not take them in time."},
        "packets_retransmitted": count,
        "loss": {"type": ["number", "null"], "description": f"Share lost, by its last report; {untold}"},
        "jitter_s": {"type": ["number", "null"]},
        "round_trip_s": {"type": ["number", "null"]},
    }
    return {"type": "object", "required": [*properties], "properties": properties}


def _log_schema() -> dict[str, Any]:
    line = {
        "number": {"type": "integer", "description": "Rises by one with each line."},
        "time": {"type": "number", "description": "Unix time."},
        "level": {"type": "string", "enum": ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]},
        "area": {"type": "string", "description": "The part of the program."},
        "camera": {"type": ["string", "null"], "description": "Which one it is about."},
        "text": {"type": "string", "description": "As in the log file, secrets masked."},
        "traceback": {"type": "array", "items": {"type": "string"}},
    }
    return {
        "type": "object",
        "required": ["lines", "next"],
        "properties": {
            "lines": {"type": "array", "items": {"type": "object", "required": [*line], "properties": line}},
            "next": {"type": "integer", "description": "`after` for what will have come since."},
        },
    }


def _rtsp_schema() -> dict[str, Any]:
    names = ("clients", "strangers", "accepted", "cut_off", "refused", "failed_logins", "bytes_sent", "dropped_frames")
    return {
        "type": ["object", "null"],
        "description": "Connections to the RTSP server; null where there is none.",
        "required": [*names],
        "properties": {name: {"type": "integer"} for name in names},
    }


def _server_schema() -> dict[str, Any]:
    def figures(*names: str) -> dict[str, Any]:
        return {"type": "object", "required": [*names], "properties": {name: {"type": "number"} for name in names}}

    load = figures("share", "sending_share", "thread_share", "lag_s", "delay_s", "memory_bytes")
    load["properties"]["sending_bytes_per_s"] = {"type": ["number", "null"]}
    counts = {"type": "object", "additionalProperties": {"type": "integer"}}
    queues = {
        "reader": figures("max_bytes", "max_age_s", "bytes", "age_s"),
        "key_frame_cache": figures("max_bytes", "max_age_s", "bytes"),
    }
    transports = figures("udp", "tcp", "connecting")
    transports["description"] = "The viewers by what they are reached by; `connecting` have no keys yet."
    properties = {
        "viewers": {"type": "integer"},
        "viewers_by_transport": transports,
        "load": load,
        "limits": figures("max_viewers", "max_load", "max_lag_s", "max_delay_s", "max_memory_mb"),
        "at_limit": {"type": "array", "items": {"type": "string"}, "description": "Keys of limits that stop joins."},
        "joins_admitted": {"type": "integer"},
        "joins_refused": counts | {"description": "By the key of the limit."},
        "connects_failed": counts | {"description": "Viewers who never got their media, by how far they came."},
        "sheds": {"type": "integer", "description": "How often a stream had to skip to its next key frame."},
        "rtsp": _rtsp_schema(),
        "queues": {"type": "object", "required": [*queues], "properties": queues},
    }
    return {"type": "object", "required": [*properties], "properties": properties}


def _parameters() -> dict[str, Any]:
    def in_path(name: str) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}

    def in_query(name: str, description: str, **schema: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema}

    wait = {
        "name": "wait",
        "in": "query",
        "description": "How long to hold the offer for a camera that is not live, in seconds. Where it is absent: 10 "
        "for a camera on demand, else 0.",
        "schema": {"type": "number", "minimum": 0, "maximum": MAX_WAIT_S},
    }
    width = {
        "name": "width",
        "in": "query",
        "description": "How wide the picture may be, in pixels; it never becomes wider than the camera's.",
        "schema": {"type": "integer", "minimum": LEAST_WIDTH, "maximum": MOST_WIDTH},
    }
    verbose = {
        "name": "verbose",
        "in": "query",
        "description": "Tell of the cameras as well. The status is 200 all the same.",
        "allowEmptyValue": True,
        "schema": {"type": "string"},
    }
    watched = {
        "name": "camera",
        "in": "query",
        "description": "Hear of these cameras only, with their figures each second; else of all, as they "
        "visibly change.",
        "schema": {"type": "array", "items": {"type": "string"}},
    }
    if_match = {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}}
    return {
        "camera": in_path("camera"),
        "session": in_path("session"),
        "share": in_path("share"),
        "viewer": in_path("viewer"),
        "onlyCameras": in_query("camera", "Only these.", type="array", items={"type": "string"}),
        "oneCamera": in_query("camera", "Only lines about this one.", type="string"),
        "after": in_query(
            "after", "Only lines after the one of this number.", type="integer", minimum=0, maximum=MOST_NUMBER
        ),
        "limit": in_query("limit", "No more than so many, the latest.", type="integer", minimum=1, maximum=KEPT_LINES),
        "level": in_query("level", "Only lines of this level and above.", type="string", enum=[*LEVELS]),
        "name": in_path("name"),
        "wait": wait,
        "verbose": verbose,
        "watched": watched,
        "width": width,
        "ifMatch": if_match,
    }


def _responses() -> dict[str, Any]:
    return {"Problem": {"description": "What is wrong and what to do", "content": _PROBLEM}}


def _operation(summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    # Every operation can fail in ways that are the same for all.
    return {"summary": summary, "responses": responses | {"default": _ref("responses", "Problem")}, **more}


def _open_operation(summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Describe one that asks nobody who they are."""
    return _operation(summary, responses, security=[], **more)


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _jpeg(description: str) -> dict[str, Any]:
    schema = {"type": "string", "contentEncoding": "binary"}
    headers = {name: {"schema": {"type": "string"}} for name in ("ETag", "Cache-Control")}
    return {"description": description, "headers": headers, "content": {"image/jpeg": {"schema": schema}}}


def _body(media_type: str) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": {"type": "string"}}}}


def _sdp_answer(description: str, media_type: str, *headers: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: {"schema": {"type": "string"}} for name in headers},
        "content": {media_type: {"schema": {"type": "string"}}},
    }


def _ref(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}
