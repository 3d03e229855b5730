"""Speaking to a camgate that runs: over its control socket, or by its address and a token."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from camgate.base.errors import RemoteError
from camgate.base.secrets import mask, register_secret
from camgate.base.unanswered import no_camgate, why_unanswered
from camgate.cli.exits import BAD_CONFIG, FAILED
from camgate.config.control import find_control_sockets
from camgate.config.errors import ConfigError
from camgate.config.load import find_config_file

if TYPE_CHECKING:
    from camgate.doctor.remote import Where

TOKEN_VARIABLE = "CAMGATE_TOKEN"
NO_TOKEN = "does not hold one token and nothing else"
TIMEOUT_S = 30.0

SocketOption = Annotated[
    Path | None,
    typer.Option("--socket", metavar="PATH", help="Control socket.", show_default="the config's, else the usual place"),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help=f"Instead: a camgate elsewhere; {TOKEN_VARIABLE} is an admin's token."),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Config file of the camgate that runs, for the place of its socket"),
]


def token_of_environment() -> str:
    """Return the token for a camgate elsewhere, and keep it out of all that is written; empty for none.

    Raises typer.BadParameter.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if token and not is_token(token):
        raise typer.BadParameter(NO_TOKEN, param_hint=TOKEN_VARIABLE)
    register_secret(token)
    return token


def is_token(text: str) -> bool:
    """Whether a text can be shown as a token, in a header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class NotThere(RemoteError):
    """No camgate answers."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class Refused(RemoteError):
    """camgate answered with a problem document."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem.get("detail") or "camgate refused, without a word")


class Api:
    """The API of one camgate. name: what errors call it."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Return what is answered, read from JSON. Raises NotThere, Refused."""
        import httpx

        try:
            reply = self._client.request(method, path, **({} if body is None else {"json": body}))
        except httpx.TransportError as error:
            raise NotThere(why_unanswered(self._name, error)) from None
        try:
            answer = reply.json() if reply.content else None
        except ValueError:
            raise NotThere(no_camgate(self._name)) from None
        if reply.status_code == HTTPStatus.UNAUTHORIZED:
            wants = f"camgate at {self._name} wants a login"
            raise NotThere(f"{wants}: give a token in {TOKEN_VARIABLE} (camgate token makes one)")
        if reply.is_error:
            raise Refused(answer if isinstance(answer, dict) else {})
        return answer


@contextmanager
def open_api(socket: Path | None, url: str | None, config: Path | None = None) -> Iterator[Api]:
    """Speak to the camgate that the options name; a refusal ends the command with a line for each mistake."""
    import httpx  # takes a tenth of a second, which only those wait for who speak

    try:
        if url is not None:
            there = place_of(url)
            token = token_of_environment()
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            name, base = there.header, f"{there.scheme}://{there.header}{there.root}"
            client = httpx.Client(base_url=base, headers=headers, timeout=TIMEOUT_S, trust_env=False)
        else:
            path = find_socket(socket, config)
            name, transport = str(path), httpx.HTTPTransport(uds=str(path))
            client = httpx.Client(base_url="http://localhost", transport=transport, timeout=TIMEOUT_S, trust_env=False)
        with client:
            yield Api(client, name)
    except Refused as refused:
        errors = refused.problem.get("errors") or []
        for error in errors:
            typer.echo(mask(_in_words(error)), err=True)
        if not errors:
            typer.echo(mask(f"camgate: {refused}"), err=True)
        raise typer.Exit(BAD_CONFIG if errors else FAILED) from None


def place_of(url: str) -> "Where":
    """Read what --url says. Raises typer.BadParameter."""
    from camgate.doctor.remote import BadUrl, where  # with trio, which those who ask here do not wait for

    try:
        return where(url)
    except BadUrl as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None


def _in_words(error: Mapping[str, Any]) -> str:
    place = ":".join(str(error[part]) for part in ("file", "line") if error.get(part) is not None)
    return ": ".join(part for part in (place, error.get("key"), error.get("detail")) if part)


def find_socket(socket: Path | None, config: Path | None) -> Path:
    """Return where the camgate that runs has its control socket. Raises NotThere."""
    if socket is not None:
        return socket
    if config is not None and not config.is_file():
        raise NotThere(f"there is no config file {config}, which --config names")
    try:
        file = find_config_file(config)
    except ConfigError:
        file = None
    places = list(dict.fromkeys(find_control_sockets(file, os.environ)))
    for place in places:
        if place.is_socket():
            return place
    looked = " or ".join(str(place) for place in places)
    raise NotThere(f"no camgate runs here, or it has no control socket: there is none at {looked}; see --socket, --url")
