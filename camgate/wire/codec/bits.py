"""Reading headers of video and sound bit by bit, Exp-Golomb codes included (ITU-T H.264 7.2 and 9.1)."""

from camgate.wire.codec.errors import BitstreamMalformed

MAX_PREFIX_BITS = 31
"""Codes of ue(v) reach 2^32 - 2 (H.264 7.4.2): more leading zeros than this are no code."""


class BitReader:
    """Reads bits from the front of `data`. Every method raises BitstreamMalformed at the end of the data.

    A read costs time in proportion to what is read, however long `data` is: foreign data may be of any size.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size = 8 * len(data)
        self.left = self._size
        """How many bits are left."""

    def bits(self, count: int) -> int:
        """Return the next `count` bits as an unsigned number: u(n)."""
        if count > self.left:
            raise BitstreamMalformed("it ends too early")
        begin = self._size - self.left
        self.left -= count
        return self._between(begin, begin + count)

    def peek(self, count: int) -> int:
        """Return the next `count` bits, which must be there, without reading them."""
        begin = self._size - self.left
        return self._between(begin, begin + count)

    def latest(self, count: int) -> int:
        """Return the last `count` bits that were read once more."""
        end = self._size - self.left
        return self._between(end - count, end)

    def _between(self, begin: int, end: int) -> int:
        around = int.from_bytes(self._data[begin >> 3 : end + 7 >> 3], "big")
        return around >> (-end & 7) & (1 << end - begin) - 1

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
