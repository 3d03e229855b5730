"""Who asks, as the gate found out: for routes, and for what they list."""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl
from weakref import WeakValueDictionary

from quart import request, websocket

from camgate.auth.access import TO_LOOK, Access, Credentials, Wanted
from camgate.auth.errors import LoginRefused, SignedOut
from camgate.auth.identity import EVERYBODY, Action, Identity, of_this_machine

IDENTITY = "camgate.identity"
"""The key of the ASGI scope."""
UNSEEN = "camgate.unseen"
"""In the scope where the page of a camera is wanted by somebody who may not view it."""
SESSION_COOKIE = "camgate_session"
SHARE_COOKIE = "camgate_share"
"""What the cookies of share links begin with; behind it stands the link's id."""
MAX_LINKS = 12
"""Share links that one browser holds: 3 kB of the 16 that a request's headers may take."""
TOKEN_PARAMETER = "token"
MAX_QUERY_FIELDS = 64
MAX_LOGIN_CHARS = 1024
MAX_QUERY_CHARS = 16_384
LOCAL = "camgate.local"
"""In the scope of what came over the control socket: who sent it, in words."""
Groups = Callable[[str], tuple[str, ...]]


async def identify(access: Access, scope: Any, wanted: Wanted = TO_LOOK) -> Identity:
    """Find out who sent a request. Raises SignedOut, and as `Access.identify` does."""
    identity = await identify_or_nobody(access, scope, wanted)
    if identity is None:
        raise SignedOut
    return identity


async def identify_or_nobody(access: Access, scope: Any, wanted: Wanted = TO_LOOK) -> Identity | None:
    """Find out who sent a request; None for nobody in particular. Raises as `Access.identify` does."""
    if (local := scope.get(LOCAL)) is not None:
        return of_this_machine(local)
    if access.is_open:
        # Then a login that is sent along is not meant for us: a proxy asks for it.
        return EVERYBODY
    return await access.identify(credentials_untrusted(scope), wanted)


def client_address(scope: Any) -> str:
    """Return the address of who asks, without port; empty where there is none."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def asking() -> Identity:
    """Who sent the present request; the gate has let nobody else through."""
    scope: Any = request.scope
    identity: Identity = scope[IDENTITY]
    return identity


def connecting() -> Identity:
    """Who opened the present WebSocket."""
    scope: Any = websocket.scope
    identity: Identity = scope[IDENTITY]
    return identity


class Sight:
    """Which cameras somebody may use for an action."""

    def __init__(self, identity: Identity, groups: Groups, action: Action = Action.VIEW) -> None:
        self._identity = identity
        self._groups = groups
        self._action = action
        self.is_whole = identity.may_everywhere(action)

    def __contains__(self, camera: object) -> bool:
        if self.is_whole:
            return True
        assert isinstance(camera, str)
        return self._identity.may(self._action, camera, self._groups(camera))


class Sights:
    """One Sight for all who may view the same cameras at present, so that what is found for one holds for all."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._by_grants: WeakValueDictionary[tuple[object, ...], Sight] = WeakValueDictionary()

    def of(self, identity: Identity) -> Sight:
        """Return what somebody may view."""
        key = identity.bounds
        sight = self._by_grants.get(key)
        if sight is None:
            sight = self._by_grants[key] = Sight(identity, self._groups)
        return sight


def credentials_untrusted(scope: Any) -> Credentials:
    """Read what a request shows of who sent it. Raises LoginRefused where that is garbled."""
    address = client_address(scope)
    authorization = cookie = None
    for name, value in scope["headers"]:
        match name.lower():
            case b"authorization":
                if authorization is not None:
                    # RFC 9110 section 5.3: it is no list; a proxy before us may have looked at the other one.
                    raise LoginRefused("the request has more than one Authorization header")
                authorization = value.decode("latin-1")
            case b"cookie":
                cookie = value.decode("latin-1")
    query = scope["query_string"].decode("latin-1")[:MAX_QUERY_CHARS]
    if authorization is not None:
        return replace(_authorization(address, authorization), query=query)
    if "token=" in query:
        try:
            fields = parse_qsl(query, max_num_fields=MAX_QUERY_FIELDS)
        except ValueError:
            raise LoginRefused(f"the address has more than {MAX_QUERY_FIELDS} parameters beside the token") from None
        for key, value in fields:
            if key == TOKEN_PARAMETER:
                return Credentials(address=address, bearer=value, query=query)
    if cookie is None:
        return Credentials(address=address, query=query)
    shares = tuple(shares_in_untrusted(cookie).values()) if SHARE_COOKIE in cookie else ()
    return Credentials(address=address, session=session_in_untrusted(cookie), shares=shares, query=query)


def session_in_untrusted(cookie: str) -> str | None:
    """Return the session in a Cookie header (RFC 6265 section 4.2.1); the first one, as browsers sort them."""
    for name, value in _cookies(cookie):
        if name == SESSION_COOKIE:
            return value
    return None


def shares_in_untrusted(cookie: str) -> dict[str, str]:
    """Return the cookies of share links in a Cookie header, the latest ones, by their names.

    RFC 6265 section 5.4: browsers send those first that they have had for longest.
    """
    found = [(name, value) for name, value in _cookies(cookie) if name.startswith(SHARE_COOKIE)]
    return dict(found[-MAX_LINKS:])


def _cookies(cookie: str) -> Iterator[tuple[str, str]]:
    for part in cookie.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            yield name, value


def _authorization(address: str, value: str) -> Credentials:
    scheme, _, rest = value.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer" and rest:
        return Credentials(address=address, bearer=rest)
    if scheme.lower() == "basic" and rest:
        return Credentials(address=address, login=basic_untrusted(rest))
    raise LoginRefused("the Authorization header is neither Basic nor Bearer")


def basic_untrusted(text: str) -> tuple[str, str]:
    """Return name and password of HTTP Basic, in UTF-8 (RFC 7617 sections 2 and 2.1). Raises LoginRefused."""
    try:
        login = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise LoginRefused("the Authorization header's Basic part is not NAME:PASSWORD in UTF-8 and base64") from None
    name, colon, password = login.partition(":")
    if not colon or len(login) > MAX_LOGIN_CHARS:
        raise LoginRefused("the Authorization header's Basic part is not NAME:PASSWORD, of 1,024 characters at most")
    return name, password
