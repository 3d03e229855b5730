"""A filter in the kernel that keeps few RTP packets, so that a viewer costs next to nothing beside its server.

Classic BPF (linux/filter.h), run on each datagram before it is queued. Loss stays visible: kept are the packets whose
sequence number is a multiple of 32, and one of them that does not come is missed. Kept are, too, the last packets of
about one frame in 32, which carry the mark that tells the delay. STUN, DTLS and RTCP pass.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence

KEPT_ONE_IN = 32

SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_INSTRUCTION = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, jump if false, operand

_LOAD_BYTE = 0x30  # BPF_LD | BPF_B | BPF_ABS
_LOAD_HALF = 0x28  # BPF_LD | BPF_H | BPF_ABS
_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_SHIFT_RIGHT = 0x74  # BPF_ALU | BPF_RSH | BPF_K
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_UDP_HEADER_BYTES = 8
"""A UDP socket's filter sees the datagram with its UDP header."""
_ALL = 0xFFFF
_MARKER = 0x80
"""RFC 3550 section 5.1; RFC 6184 section 5.1: the last packet of a frame."""

Instruction = tuple[int, int, int, int]

_TIME_SHIFT = 12
"""4,096 ticks of the 90 kHz clock are about a frame's time."""


def build_program(phase: int) -> Sequence[Instruction]:
    """Write the filter; viewers with different phases (below 32) keep the marks of different frames."""
    return (
        # RFC 7983 section 7: 128 to 191 in the first byte is RTP or RTCP.
        (_LOAD_BYTE, 0, 0, _UDP_HEADER_BYTES),
        (_AND, 0, 0, 0xC0),
        (_IF_EQUAL, 0, 13, 0x80),
        # RFC 5761 section 4: RTCP has 64 to 95 where RTP has its payload type.
        (_LOAD_BYTE, 0, 0, _UDP_HEADER_BYTES + 1),
        (_AND, 0, 0, 0x60),
        (_IF_EQUAL, 10, 0, 0x40),
        (_LOAD_HALF, 0, 0, _UDP_HEADER_BYTES + 2),
        (_AND, 0, 0, KEPT_ONE_IN - 1),
        (_IF_EQUAL, 7, 0, 0),
        (_LOAD_BYTE, 0, 0, _UDP_HEADER_BYTES + 1),
        (_AND, 0, 0, _MARKER),
        (_IF_EQUAL, 0, 5, _MARKER),
        (_LOAD_WORD, 0, 0, _UDP_HEADER_BYTES + 4),
        (_SHIFT_RIGHT, 0, 0, _TIME_SHIFT),
        (_AND, 0, 0, KEPT_ONE_IN - 1),
        (_IF_EQUAL, 0, 1, phase),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, 0),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def keep_one_in_32(sock: socket.socket, phase: int) -> None:
    """Attach the filter; packets that are queued already stay."""
    built = build_program(phase)
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in built)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(built), ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))
