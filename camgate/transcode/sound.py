"""Sound of cameras into Opus: the work of the sound worker, which does all cameras' streams. No Trio here.

Opus is what every browser plays; 48 kHz, 20 ms a packet (RFC 7587). Times are the camera's, in ticks of 48 kHz.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from camgate.base.errors import CamgateError, RemoteError
from camgate.transcode.channel import Channel
from camgate.transcode.messages import SOUND_ID, Kind, Media
from camgate.wire.codec.audio_codecs import AAC_CODECS, G726_BITS

OPUS_HZ = 48_000
PACKET_SAMPLES = 960
BITS_A_CHANNEL = 32_000
MAX_OFF_SAMPLES = OPUS_HZ // 25
"""Sound that is further from its time than 40 ms is put there: below, timestamps are only rounded."""
MAX_FILLED_SAMPLES = OPUS_HZ // 2
"""A shorter gap is filled with silence; behind a longer one time goes on where the camera does."""

_PCM = {"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw", "L16": "pcm_s16be"}
"""RFC 3551 4.5.11: L16 is in network byte order."""


class SoundUnusable(RemoteError):
    """A format that no decoder takes."""

    def __init__(self, codec: str, reason: str) -> None:
        super().__init__(codec, reason)
        self.codec = codec
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.codec} cannot be decoded: {self.reason}"


def open_sound_decoder(codec: str, clock_hz: int, channels: int, config: bytes) -> Any:
    """Return a decoder for what `wire.codec.format.AudioFormat` describes. Raises SoundUnusable."""
    try:
        decoder = _create_decoder(codec, clock_hz, channels, config)
        decoder.thread_count = 1
        decoder.open()
    except (av.error.FFmpegError, ValueError) as exc:
        raise SoundUnusable(codec, str(exc)) from exc
    return decoder


def _create_decoder(codec: str, clock_hz: int, channels: int, config: bytes) -> Any:
    if codec in AAC_CODECS:
        decoder: Any = av.CodecContext.create("aac", "r")
        decoder.extradata = config
        return decoder
    if codec == "OPUS":
        return av.CodecContext.create("libopus", "r")
    if codec in G726_BITS:
        # RFC 3551 4.5.4: the first sample is in the least significant bits; the other family's in the most significant.
        decoder = av.CodecContext.create("g726" if codec.startswith("AAL2") else "g726le", "r")
        decoder.options = {"bits_per_coded_sample": str(G726_BITS[codec])}
    elif codec == "G722":
        # 4.5.2: its clock counts 8,000 a second, though it samples twice as fast.
        decoder, clock_hz = av.CodecContext.create("g722", "r"), 2 * clock_hz
    elif codec in _PCM:
        decoder = av.CodecContext.create(_PCM[codec], "r")
    else:
        raise SoundUnusable(codec, "camgate does not know it")
    decoder.sample_rate = clock_hz
    decoder.layout = "mono" if channels == 1 else "stereo" if channels == 2 else f"{channels}c"
    return decoder


class SoundTranscoder:
    """Frames of one camera's sound in, Opus packets out."""

    def __init__(self, codec: str, clock_hz: int, channels: int, config: bytes) -> None:
        """As in `AudioFormat`. Raises SoundUnusable."""
        self._clock_hz = clock_hz
        self._decoder = open_sound_decoder(codec, clock_hz, channels, config)
        self._resampler: Any = None
        self._resampled = ("", "", 0)
        """Format, layout and rate of what the decoder gives now."""
        self._encoder: Any = None
        self._fifo: Any = None
        self._layout = ""
        self._channels = 0
        self._next_time = 0
        """Of the first sample that is in the FIFO, in samples of 48 kHz."""
        self._last_time = -1
        self.broken = 0

    def take(self, media: Media) -> Iterator[Media]:
        """Decode one frame, and yield the packets that are full with it."""
        time = media.rtp_time * OPUS_HZ // self._clock_hz
        try:
            pieces = self._decoder.decode(av.Packet(media.nals[0])) if media.nals and media.nals[0] else []
        except av.error.FFmpegError:
            self.broken += 1
            return
        for piece in pieces:
            self._follow(piece, time)
            self._align(time)
            piece.pts = None
            for resampled in self._resampler.resample(piece):
                self._put(resampled)
            time += piece.samples * OPUS_HZ // piece.sample_rate
        yield from self._packets(media.arrival_s)

    def _follow(self, piece: Any, time: int) -> None:
        """Be ready for what the decoder gives: AAC may change its channels from frame to frame, and its rate by SBR."""
        given = (piece.format.name, piece.layout.name, piece.sample_rate)
        if given == self._resampled:
            return
        channels = 2 if piece.layout.nb_channels > 1 else 1
        # Once stereo it stays so: an encoder is not opened anew each time that a camera changes its mind.
        if channels > self._channels:
            self._begin(channels, time)
        self._resampler = av.AudioResampler(format="s16", layout=self._layout, rate=OPUS_HZ)
        self._resampled = given

    def _begin(self, channels: int, time: int) -> None:
        self._layout, self._channels = "stereo" if channels == 2 else "mono", channels
        self._fifo = av.AudioFifo()
        encoder: Any = av.CodecContext.create("libopus", "w")
        encoder.sample_rate, encoder.layout, encoder.format = OPUS_HZ, self._layout, "s16"
        encoder.time_base = Fraction(1, OPUS_HZ)
        encoder.bit_rate = channels * BITS_A_CHANNEL
        encoder.options = {"frame_duration": "20", "application": "audio"}
        encoder.open()
        self._encoder = encoder
        self._next_time = time

    def _align(self, time: int) -> None:
        """Put the next samples at `time`, if they would be off: gaps are filled, other jumps are made."""
        ahead = time - (self._next_time + self._fifo.samples)
        if abs(ahead) <= MAX_OFF_SAMPLES:
            return
        if 0 < ahead <= MAX_FILLED_SAMPLES:
            silence = av.AudioFrame(format="s16", layout=self._layout, samples=ahead)
            silence.sample_rate = OPUS_HZ
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            self._put(silence)
            return
        if self._fifo.samples:
            self._fifo.read()
        self._next_time = time

    def _put(self, frame: Any) -> None:
        frame.pts = None
        self._fifo.write(frame)

    def _packets(self, arrival_s: float) -> Iterator[Media]:
        while self._fifo is not None and self._fifo.samples >= PACKET_SAMPLES:
            frame = self._fifo.read(PACKET_SAMPLES)
            frame.pts, frame.time_base = self._next_time, self._encoder.time_base
            self._next_time += PACKET_SAMPLES
            for packet in self._encoder.encode(frame):
                # Times only rise, also where the camera's stepped back.
                self._last_time = max(self._last_time + 1, packet.pts)
                yield Media(self._last_time, arrival_s, is_key=True, nals=(bytes(packet),))


def run_sound(channel: Channel, setup: dict[str, Any]) -> None:
    """Transcode all streams that camgate opens, until it hangs up. One that fails is UNUSABLE, and ends no other."""
    streams: dict[int, SoundTranscoder] = {}
    channel.send_json(Kind.READY, {})
    while True:
        kind, body = channel.receive()
        (number,) = SOUND_ID.unpack_from(body)
        rest = body[SOUND_ID.size :]
        if kind is Kind.OPEN:
            facts = json.loads(rest)
            try:
                streams[number] = SoundTranscoder(
                    facts["codec"], facts["clock_hz"], facts["channels"], bytes.fromhex(facts["config"])
                )
            except CamgateError as exc:
                channel.send(Kind.UNUSABLE, SOUND_ID.pack(number), str(exc).encode())
        elif kind is Kind.CLOSE:
            streams.pop(number, None)
        elif kind is Kind.SOUND:
            if number in streams:
                try:
                    made = list(streams[number].take(Media.unpack(rest)))
                except Exception as exc:
                    del streams[number]
                    channel.send(Kind.UNUSABLE, SOUND_ID.pack(number), f"{type(exc).__name__}: {exc}".encode())
                    made = []
                for media in made:
                    channel.send(Kind.SOUND, SOUND_ID.pack(number), media.pack_body())
            # Also of a stream that cannot be used: a worker that answers nothing is taken for one that hangs.
            channel.send(Kind.HEARD, SOUND_ID.pack(number))
