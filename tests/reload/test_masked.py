"""Settings as they are shown: no secret in them, and all else."""

import json
from dataclasses import fields
from typing import Any

from camgate.config.model import (
    AuthSettings,
    CallbackSettings,
    CameraSettings,
    IssuerSettings,
    RtspServerSettings,
    Settings,
    TurnSettings,
    UserSettings,
    WebhookSettings,
    WebRtcSettings,
)
from camgate.reload.masked import shown

CANARY = "canary-in-the-mine"


def full_of(kind: type, **given: Any) -> Any:
    """Make settings with the canary in each field that is secret by the model."""
    secret = {each.name: CANARY for each in fields(kind) if not each.repr}
    return kind(**{**secret, **given})


def test_no_secret_is_shown_and_all_else_is() -> None:
    sub = full_of(CameraSettings, name="front/sub", url="rtsp://192.0.2.1/b")
    front = full_of(CameraSettings, name="front", url="rtsp://192.0.2.1/a", groups=("outside",), sub=sub)
    user = full_of(UserSettings, name="anna", roles=("admin",))
    issuer = full_of(IssuerSettings, name="company", issuer="https://id.example", audience=("camgate",))
    settings = Settings(
        cameras={"front": front},
        webrtc=WebRtcSettings(turn={"coturn": full_of(TurnSettings, urls=("turn:t",))}),
        webhooks={"house": full_of(WebhookSettings)},
        rtsp_server=RtspServerSettings(users={"recorder": {"MD5": CANARY}}),
        auth=AuthSettings(users={"anna": user}, issuers={"company": issuer}, callback=full_of(CallbackSettings)),
    )
    told = shown(settings)
    assert CANARY not in json.dumps(told)
    camera = told["cameras"]["front"]
    assert (camera["password"], camera["username"], camera["groups"]) == ("***", None, ["outside"])
    assert camera["transport"] == "auto"
    assert camera["sub"]["url"] == "rtsp://192.0.2.1/b"
    assert told["rtsp_server"]["users"] == {"recorder": "***"}
    assert told["auth"]["users"]["anna"] == {"name": "anna", "password_hash": "***", "roles": ["admin"]}
    assert told["server"]["listen"] == "127.0.0.1:8107"


def test_what_is_not_set_is_not_masked() -> None:
    assert shown(CameraSettings(name="front", url="rtsp://x/"))["password"] is None
