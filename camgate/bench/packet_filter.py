"""A filter in the kernel that keeps one RTP packet in 32, so that a viewer costs next to nothing beside its server.

Classic BPF (linux/filter.h), run on each datagram before it is queued. Loss stays visible: kept are the packets whose
sequence number is a multiple of 32, and one of them that does not come is missed. STUN, DTLS and RTCP pass.
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
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_UDP_HEADER_BYTES = 8
"""A UDP socket's filter sees the datagram with its UDP header."""
_ALL = 0xFFFF

Instruction = tuple[int, int, int, int]

PROGRAM: Sequence[Instruction] = (
    # RFC 7983 section 7: 128 to 191 in the first byte is RTP or RTCP.
    (_LOAD_BYTE, 0, 0, _UDP_HEADER_BYTES),
    (_AND, 0, 0, 0xC0),
    (_IF_EQUAL, 0, 6, 0x80),
    # RFC 5761 section 4: RTCP has 64 to 95 where RTP has its payload type.
    (_LOAD_BYTE, 0, 0, _UDP_HEADER_BYTES + 1),
    (_AND, 0, 0, 0x60),
    (_IF_EQUAL, 3, 0, 0x40),
    (_LOAD_HALF, 0, 0, _UDP_HEADER_BYTES + 2),
    (_AND, 0, 0, KEPT_ONE_IN - 1),
    (_IF_EQUAL, 0, 1, 0),
    (_RETURN, 0, 0, _ALL),
    (_RETURN, 0, 0, 0),
)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def keep_one_in_32(sock: socket.socket) -> None:
    """Attach the filter; packets that are queued already stay."""
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in PROGRAM)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(PROGRAM), ctypes.addressof(instructions))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))
