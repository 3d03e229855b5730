"""Writes video headers bit by bit, the other direction of `camgate.wire.codec.bits`."""


class BitWriter:
    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, count: int, value: int) -> "BitWriter":
        if count:
            self._bits.append(f"{value:0{count}b}")
        return self

    def flag(self, value: bool) -> "BitWriter":
        return self.u(1, int(value))

    def ue(self, *values: int) -> "BitWriter":
        for value in values:
            code = f"{value + 1:b}"
            self._bits.append("0" * (len(code) - 1) + code)
        return self

    def se(self, *values: int) -> "BitWriter":
        return self.ue(*(2 * value - 1 if value > 0 else -2 * value for value in values))

    def raw(self, data: bytes) -> "BitWriter":
        return self.u(8 * len(data), int.from_bytes(data, "big"))

    def aligned(self) -> bytes:
        """Return the bytes, filled up with zeros."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")

    def rbsp(self) -> bytes:
        """Return the bytes, with the stop bit and its alignment (H.264 7.3.2.11)."""
        bits = "".join(self._bits) + "1"
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes (H.264 7.4.1.1)."""
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
