"""`camgate webhook …`: does what is configured to be told arrive?"""

import os
import time
from typing import Annotated

import trio
import typer

from camgate.auth.fetch import Fetcher
from camgate.cli.commands import SETTINGS
from camgate.cli.exits import FAILED, exit_codes, refuse
from camgate.cli.options import ConfigFileOption
from camgate.config.load import find_config_file, load
from camgate.config.model import WebhookSettings
from camgate.webhooks.delivery import Outcome, deliver
from camgate.webhooks.messages import Event, Message

webhook = typer.Typer(help="Try the webhooks of a config.", no_args_is_help=True, **SETTINGS)


@webhook.callback()
def only_group() -> None:
    """Try the webhooks of a config."""


@webhook.command("test")
def try_webhooks(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The one of that name in the config.", show_default="all")
    ] = None,
    config: ConfigFileOption = None,
) -> None:
    """Send a message, from here and once, and say what came back; exit code 1 where one was not taken."""
    with exit_codes():
        webhooks = load(find_config_file(config), os.environ, needs_cameras=False).webhooks
        if not webhooks:
            refuse("webhook", "the config has no webhook; write [webhooks.NAME] with url and secret below it")
        if name is not None and name not in webhooks:
            refuse("webhook", f"there is no webhook of that name; the config has {', '.join(webhooks)}")
        chosen = webhooks if name is None else {name: webhooks[name]}
        have_arrived = [trio.run(_try, each, settings) for each, settings in chosen.items()]
    if not all(have_arrived):
        raise typer.Exit(FAILED)


async def _try(name: str, settings: WebhookSettings) -> bool:
    """Send one message to one receiver and say what came of it; returns whether it has arrived."""
    fetcher = Fetcher()
    began_s = time.monotonic()
    try:
        outcome = await deliver(fetcher, settings, Message(event=Event.TEST, happened_s=time.time()))
    finally:
        await fetcher.aclose()
    typer.echo(f"{name}: {_in_words(outcome, time.monotonic() - began_s)}")
    return outcome.arrived


def _in_words(outcome: Outcome, took_s: float) -> str:
    verdict = "taken" if outcome.arrived else "not taken"
    return f"{verdict}: {outcome.words}" + (f" after {1000 * took_s:.0f} ms" if outcome.status is not None else "")
