"""`camgate demo`: camgate on two cameras of its own."""

from functools import partial
from typing import Annotated

import typer

from camgate.base.log_setup import setup_logging
from camgate.cli.exits import exit_codes
from camgate.cli.serve import serve
from camgate.config.arguments import server_settings
from camgate.config.model import LoggingSettings, ServerSettings, WebRtcSettings

OPTIONS = {"server.listen": "--listen", "webrtc.port": "--webrtc-port"}
"""What the keys of a config file are called here."""


def demo(
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS:PORT", help="Where to serve the pages; port 0 takes a free one.")
    ] = ServerSettings().listen,
    webrtc_port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="UDP port of the media; 0 takes a free one.")
    ] = WebRtcSettings().port,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen beyond this machine although viewers need no password.")
    ] = False,
) -> None:
    """Show two built-in cameras, until Ctrl-C or SIGTERM. Needs no config."""
    with exit_codes(options=OPTIONS):
        server = server_settings(listen)
    from camgate.demo.run import run_demo  # takes most of a second: mistakes are told before

    webrtc = WebRtcSettings(port=webrtc_port)
    with setup_logging(LoggingSettings()), exit_codes(options=OPTIONS):
        serve(partial(run_demo, server=server, webrtc=webrtc, insecure=insecure))
