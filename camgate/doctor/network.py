"""What the kernel gives to UDP: buffers as large as camgate asks for, and one call for all packets of a frame."""

import socket
from dataclasses import dataclass

from camgate.doctor.finding import OK, WARNING, Finding
from camgate.serve.datagrams import RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, UDP_SEGMENT

BUFFERS, GSO = "UDP buffers", "UDP segmentation (GSO)"
SEGMENT_BYTES = 1200
ANSWER_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Buffer:
    """One of a socket's buffers, in bytes: what camgate asks for, and what the kernel gave. key: what limits it."""

    key: str
    wanted_bytes: int
    given_bytes: int


def look_at_buffers() -> Finding:
    """Ask for the buffers that camgate asks for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return judge_buffers(
            [
                _ask(sock, socket.SO_RCVBUF, "net.core.rmem_max", RECEIVE_BUFFER_BYTES),
                _ask(sock, socket.SO_SNDBUF, "net.core.wmem_max", SEND_BUFFER_BYTES),
            ]
        )


def _ask(sock: socket.socket, option: int, key: str, wanted_bytes: int) -> Buffer:
    sock.setsockopt(socket.SOL_SOCKET, option, wanted_bytes)
    # socket(7): the kernel doubles the value, for its own bookkeeping, and says the doubled one.
    return Buffer(key, wanted_bytes, sock.getsockopt(socket.SOL_SOCKET, option) // 2)


def judge_buffers(buffers: list[Buffer]) -> Finding:
    """Say whether bursts of key frames, and of viewers' reports, have room."""
    small = [buffer for buffer in buffers if buffer.given_bytes < buffer.wanted_bytes]
    given = " and ".join(f"{buffer.given_bytes // 1024} KiB" for buffer in buffers)
    if not small:
        return Finding(BUFFERS, OK, f"{given} for receiving and sending, as camgate asks for")
    settings = [f"{buffer.key}={buffer.wanted_bytes}" for buffer in small]
    what = f"{given} for receiving and sending; camgate asks for {small[0].wanted_bytes // 1024} KiB, so that bursts of"
    to_do = f"as root: sysctl -w {' '.join(settings)}; the same lines in /etc/sysctl.d/90-camgate.conf make it last"
    return Finding(BUFFERS, WARNING, f"{what} many viewers are not lost", to_do)


def look_at_gso() -> Finding:
    """Send two packets in one call on loopback, and see them come as two."""
    try:
        return judge_gso(_sizes_of_two())
    except OSError as error:
        return judge_gso([], error.strerror or str(error))


def _sizes_of_two() -> list[int]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(ANSWER_TIMEOUT_S)
        segment = SEGMENT_BYTES.to_bytes(2, "little" if socket.htons(1) != 1 else "big")
        ancillary = [(socket.SOL_UDP, UDP_SEGMENT, segment)]
        sender.sendmsg([bytes(2 * SEGMENT_BYTES)], ancillary, 0, receiver.getsockname())
        return [len(receiver.recv(4 * SEGMENT_BYTES)), len(receiver.recv(4 * SEGMENT_BYTES))]


def judge_gso(sizes: list[int], error: str = "") -> Finding:
    """Say whether two packets that were sent in one call came as two."""
    if sizes == [SEGMENT_BYTES] * 2:
        return Finding(GSO, OK, "the kernel sends all packets of a frame in one call")
    reason = error or f"packets of {sizes} bytes came"
    to_do = "Linux 4.18 or newer has it; some container sandboxes do not"
    return Finding(
        GSO, WARNING, f"does not work ({reason}): sending costs two to three times the processor time", to_do
    )
