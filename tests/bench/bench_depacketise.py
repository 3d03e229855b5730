"""How long a packet takes from RTP to frame, and a frame from frame to RTP payloads.

Run: python -m tests.bench.bench_depacketise
"""

from time import perf_counter

from camgate.wire.codec.h264 import H264Depacketizer
from camgate.wire.codec.h264_payload import packetize_h264
from tests.fakes.h264 import PPS, SPS, RtpWriter, slice_nal

SECONDS = 40
GOP_FRAMES = 50
KEY_BYTES = 60_000
DELTA_BYTES = 8_800  # with the key frames: 2 Mbit/s at 25 frames a second
CAMERA_PAYLOAD_BYTES = 1400
BROWSER_PAYLOAD_BYTES = 1170
ROUNDS = 5


def main() -> None:
    camera = RtpWriter(max_payload_bytes=CAMERA_PAYLOAD_BYTES)
    packets: list[bytes] = []
    for number in range(SECONDS * 25):
        if number % GOP_FRAMES == 0:
            packets += camera.packets([SPS, PPS, slice_nal(KEY_BYTES, key=True)])
        else:
            packets += camera.packets([slice_nal(DELTA_BYTES)])
    best_in_s = best_out_s = float("inf")
    for _ in range(ROUNDS):
        receive = H264Depacketizer().receive_packet_untrusted
        begin = perf_counter()
        frames = [frame for packet in packets for frame in receive(packet, 0.0)]
        best_in_s = min(best_in_s, perf_counter() - begin)
        begin = perf_counter()
        payloads = sum(len(packetize_h264(frame.nals, BROWSER_PAYLOAD_BYTES)) for frame in frames)
        best_out_s = min(best_out_s, perf_counter() - begin)
    assert len(frames) == SECONDS * 25
    print(f"depacketise: {best_in_s / len(packets) * 1e6:.2f} us a packet of {CAMERA_PAYLOAD_BYTES} bytes")
    print(f"packetise:   {best_out_s / payloads * 1e6:.2f} us a packet of at most {BROWSER_PAYLOAD_BYTES} bytes")


if __name__ == "__main__":
    main()
