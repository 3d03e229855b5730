"""Reading headers of video and sound bit by bit, Exp-Golomb codes included (ITU-T H.264 7.2 and 9.1)."""

from camgate.wire.codec.errors import BitstreamMalformed

MAX_PREFIX_BITS = 31
"""Codes of ue(v) reach 2^32 - 2 (H.264 7.4.2): more leading zeros than this are no code."""


class BitReader:
    """Reads bits from the front of `data`. Every method raises BitstreamMalformed at the end of the data.

    Meant for headers of some hundred bytes: each read costs time in proportion to the size of `data`.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self.left = 8 * len(data)
        """How many bits are left."""

    def bits(self, count: int) -> int:
        """Return the next `count` bits as an unsigned number: u(n)."""
        if count > self.left:
            raise BitstreamMalformed("it ends too early")
        self.left -= count
        return self._value >> self.left & (1 << count) - 1

    def remaining(self) -> int:
        """Return all bits that are left, as a number, without reading them."""
        return self._value & (1 << self.left) - 1

    def flag(self) -> bool:
        return bool(self.bits(1))

    def ue(self) -> int:
        """Return an unsigned Exp-Golomb code: ue(v)."""
        zeros = 0
        while not self.bits(1):
            zeros += 1
            if zeros > MAX_PREFIX_BITS:
                raise BitstreamMalformed("an Exp-Golomb code is too long")
        return (1 << zeros) - 1 + self.bits(zeros)

    def se(self) -> int:
        """Return a signed Exp-Golomb code: se(v), H.264 9.1.1."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)

    def set_id(self, limit: int) -> int:
        """Return the id of a parameter set, at most `limit`, read as ue(v)."""
        value = self.ue()
        if value > limit:
            raise BitstreamMalformed(f"a parameter set id of {value}")
        return value
