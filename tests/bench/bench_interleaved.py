"""How long an interleaved packet takes from the TCP stream to a packet of its own.

Run: python -m tests.bench.bench_interleaved
"""

from time import perf_counter

from camgate.wire.rtsp.interleaved import InterleavedReader, interleave

READS = 500
ROUNDS = 7
CASES = [("64 kB reads of a key frame", 44, 1400), ("one picture a read", 4, 1400), ("sound", 16, 200)]
"""(what it is like, packets a read, bytes a packet)."""


def main() -> None:
    for name, packets, size in CASES:
        data = interleave(0, b"\x80" + bytes(size - 1)) * packets
        best_s = min(read_all(data, packets) for _ in range(ROUNDS))
        print(f"interleaved, {name}: {best_s / (READS * packets) * 1e6:.2f} us a packet")


def read_all(data: bytes, packets: int) -> float:
    """Return the seconds that `READS` reads of `data` take."""
    reader = InterleavedReader()
    reader.channels.add(0)
    begin = perf_counter()
    for _ in range(READS):
        reader.receive_data(data)
        assert reader.next_message_untrusted(0.0) is None
        reader.take_packets()
    elapsed_s = perf_counter() - begin
    assert reader.packets_received == READS * packets
    return elapsed_s


if __name__ == "__main__":
    main()
