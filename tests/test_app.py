"""What stands against a start is one sentence that names the key; nothing is left open behind it."""

import socket
from pathlib import Path

import pytest

from camgate import app
from camgate.config.errors import StartError
from camgate.config.model import RtspServerSettings, ServerSettings, Settings, WebRtcSettings
from tests.fakes.certificates import make_certificate

HOST = "127.0.0.1"


async def refusal(rtsp: RtspServerSettings) -> StartError:
    """Return why camgate does not start with this RTSP server."""
    server, webrtc = ServerSettings(listen=f"{HOST}:0"), WebRtcSettings(port=0)
    with pytest.raises(StartError) as caught:
        await app.run(Settings(cameras={}, server=server, webrtc=webrtc, rtsp_server=rtsp))
    return caught.value


async def test_an_rtsp_port_in_use() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        error = await refusal(RtspServerSettings(listen=f"{HOST}:{port}"))
    assert error.key == "rtsp_server.listen"
    assert str(error).endswith(
        f"cannot listen on {HOST}:{port}: Address already in use; "
        'choose another address or port, or "" for no RTSP server'
    )


def is_free(port: int) -> bool:
    try:
        with socket.create_server((HOST, port)):
            return True
    except OSError:
        return False


def takes(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind((HOST, port))
    except OSError:
        return False
    return True


async def test_an_rtsp_servers_udp_ports_in_use() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        port = next(port for port in range(40_000, 60_000, 2) if is_free(port) and takes(other, port + 1))
        error = await refusal(RtspServerSettings(listen=f"{HOST}:{port}"))
    assert error.key == "rtsp_server.listen"
    assert f"cannot bind the UDP ports {port} and {port + 1}: " in str(error)
    assert str(error).endswith("; choose another port, or write udp = false")


async def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")
    for files, reason in (
        ((tmp_path / "missing.pem", ""), "No such file or directory"),
        ((nothing, ""), "it holds no certificate in PEM"),
        ((certificate.file, nothing), f"{nothing} holds no private key in PEM"),
    ):
        chain, key = map(str, files)
        error = await refusal(RtspServerSettings(listen=f"{HOST}:0", tls_certificate=chain, tls_key=key))
        assert error.key == "rtsp_server.tls_certificate"
        assert f"cannot use {chain}" in str(error)
        assert reason in str(error)
