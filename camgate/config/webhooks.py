"""Reads `[webhooks.NAME]`: who is told what becomes of cameras, and the secret that messages are signed with.

The secret is registered as one before anything else is done with it, and so is
what the URL holds beside the host: who knows the path may often post there.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from camgate.base.secrets import register_secret
from camgate.config.accounts import register_login_in
from camgate.config.cameras import read_password_file
from camgate.config.checks import Wrong, plain_name, section
from camgate.config.environment import expand_secret
from camgate.config.errors import KeyPath
from camgate.config.model import WebhookSettings
from camgate.config.report import Report
from camgate.config.schema import WEBHOOK_KEYS, WEBHOOKS

EXAMPLE = f'[{WEBHOOKS}.NAME] with url = "https://…" below it'
SECRET_PREFIX = "whsec_"
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
"""Standard Webhooks: a secret has between 24 and 64 bytes (192 and 512 bits)."""
LEAST_HIDDEN_CHARS = 12
"""A path that is shorter is no secret: masking each `/hook` of a log would hide the log."""
RIGHT_SECRET = 'write "whsec_" and what `openssl rand -base64 32` prints, or what the receiver shows'


class WebhookReader:
    """Reads the webhooks of one config; what is wrong with them goes to `report`."""

    def __init__(self, report: Report, directory: Path, environ: Mapping[str, str]) -> None:
        """directory: what a relative `secret_file` is relative to."""
        self._report = report
        self._directory = directory
        self._environ = environ

    def read_all(self, tables: object) -> dict[str, WebhookSettings]:
        """Return the webhooks that are in order, by name."""
        named = self._report.attempt((WEBHOOKS,), section, tables, EXAMPLE) or {}
        return {name: hook for name, table in named.items() if (hook := self._read(name, table)) is not None}

    def _read(self, name: str, table: object) -> WebhookSettings | None:
        path = (WEBHOOKS, name)
        if not isinstance(table, dict):
            self._report.attempt(path, section, table, EXAMPLE)
            return None
        named = self._report.attempt(path, plain_name, name)
        values = self._report.read_keys(path, table, WEBHOOK_KEYS)
        if "url" not in table:
            self._report.add(path, 'has no url; write url = "https://HOST/PATH"')
        secret = self._secret(path, table, values)
        if not named or secret is None or "url" not in values:
            return None
        register_login_in(values["url"])
        if len(path_of := web_path(values["url"])) >= LEAST_HIDDEN_CHARS:
            register_secret(path_of)
        rest = {key: value for key, value in values.items() if key not in ("secret", "secret_file")}
        return WebhookSettings(secret=secret, **rest)

    def _secret(self, path: KeyPath, table: Mapping[str, object], values: Mapping[str, Any]) -> str | None:
        given = [key for key in ("secret", "secret_file") if key in table]
        if not given:
            self._report.add(path, f"has no secret, nor a secret_file; {RIGHT_SECRET}")
        if len(given) == 2:
            self._report.add((*path, "secret_file"), "is given, and secret too; write one of them")
        if len(given) != 1 or given[0] not in values:
            return None
        return self._report.attempt((*path, given[0]), self._checked, given[0], values[given[0]])

    def _checked(self, key: str, value: str) -> str:
        secret = (
            read_password_file(self._directory / value)
            if key.endswith("_file")
            else expand_secret(value, self._environ)
        )
        # Also without what all secrets begin with, as receivers are told it in either form.
        register_secret(secret.removeprefix(SECRET_PREFIX))
        try:
            signing_key(secret)
        except ValueError:
            least, most = LEAST_SECRET_BYTES, MOST_SECRET_BYTES
            raise Wrong(f"is no secret of {least} to {most} bytes in base64; {RIGHT_SECRET}") from None
        return secret


def web_path(url: str) -> str:
    """Return all that stands behind the host of a URL."""
    return urlunsplit(urlsplit(url)._replace(scheme="", netloc=""))


def signing_key(secret: str) -> bytes:
    """Return the bytes that a secret stands for. Raises ValueError."""
    encoded = secret.removeprefix(SECRET_PREFIX)
    if encoded == secret:
        raise ValueError(f"it does not begin with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("it is no base64") from None
    if not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise ValueError("it is too short or too long")
    return key
