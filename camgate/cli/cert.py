"""`camgate cert`: a certificate to begin HTTPS with."""

import json
from pathlib import Path
from typing import Annotated

import typer

from camgate.cli.exits import FAILED, exit_codes, refuse
from camgate.config.checks import Wrong, host_name
from camgate.serve.self_signed import FilesExist, found_names, make_self_signed, write_pair

DEFAULT_DAYS = 365
MAX_DAYS = 3650


def cert(
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Make a certificate that no authority has signed.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST",
            help="A name or an address that browsers use; may be given again.",
            show_default="all that this machine has",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="How long it holds.")] = DEFAULT_DAYS,
    directory: Annotated[Path, typer.Option(help="Where the two files are written.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Make a certificate and its key for HTTPS, and print the lines for the config file."""
    with exit_codes():
        if not self_signed:
            refuse(
                "cert",
                "makes certificates that sign themselves only: write --self-signed (docs/tls.md tells of others)",
            )
        names = _checked(name) if name else _found()
        try:
            made = make_self_signed(names, days)
            certificate, key = write_pair(made, directory.absolute(), force=force)
        except FilesExist as error:
            refuse("cert", str(error))
        except OSError as error:
            typer.echo(f"camgate cert: cannot write in {directory.absolute()}: {error.strerror}", err=True)
            raise typer.Exit(FAILED) from None
        typer.echo("Write in [server] of the config file:")
        typer.echo(f"tls_certificate = {json.dumps(str(certificate))}\ntls_key = {json.dumps(str(key))}\n")
        typer.echo(f"For {', '.join(names)}, until {made.ends:%Y-%m-%d}. Browsers ask before they trust it; compare")
        typer.echo(f"SHA-256 {made.fingerprint}")


def _checked(names: list[str]) -> list[str]:
    try:
        return list(dict.fromkeys(host_name(name).strip("[]").rstrip(".") for name in names))
    except Wrong as error:
        refuse("cert", f"--name {error}")


def _found() -> list[str]:
    from camgate.serve.webrtc.addresses import local_addresses  # with trio, which nothing else here needs

    return found_names(local_addresses())
