"""A token for the camgate that runs here, made with the key that it signs its own with.

Whoever may read that key may do anything with camgate; the doctor asks for no more than to look, for a minute.
"""

from collections.abc import Mapping

from camgate.auth.identity import Action, Grant
from camgate.auth.keys import FILE, KeyUnusable, load_or_make_key
from camgate.auth.signing import Signer
from camgate.auth.tokens import NewToken, make_token
from camgate.base.secrets import register_secret
from camgate.config.model import Settings
from camgate.config.state import state_directory

LIFE_S = 60
GRANTS = (Grant(Action.VIEW), Grant(Action.CONTROL))
"""What `/api/v1/cameras` and `/api/v1/server` want."""


def own_token(settings: Settings, environ: Mapping[str, str], now_s: float) -> str:
    """Return a token; empty where none is needed, or where this user may not read the key. Makes no key."""
    directory = state_directory(settings.server, environ)
    if not settings.auth.is_on:
        return ""
    try:
        if not (directory / FILE).exists():
            return ""
        key = load_or_make_key(directory)
    except (KeyUnusable, OSError):
        return ""
    new = NewToken(grants=GRANTS, ends_s=now_s + LIFE_S, name="camgate doctor")
    token, _ = make_token(Signer(key), new, now_s)
    register_secret(token)
    return token
