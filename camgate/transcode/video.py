"""One video stream into another codec: the work of a transcoding worker. Blocks, and may crash: no Trio here."""

from collections.abc import Iterator
from typing import Any

import av

from camgate.transcode.channel import Channel
from camgate.transcode.decoding import open_video_decoder
from camgate.transcode.encoding import Encoder, EncoderFailed, Wish, choose_encoder
from camgate.transcode.jpeg import fitted
from camgate.transcode.messages import Counts, Kind, Media

START_CODE = b"\x00\x00\x00\x01"
BUSY_WITH = 3
"""So many more frames waiting mean that we are too slow: what is decoded is not encoded until they are fewer."""
FULL_RANGE = ("yuvj420p",)


class VideoTranscoder:
    """Frames of a camera in, frames of the derived stream out."""

    def __init__(self, codec: str, wish: Wish, max_width: int) -> None:
        self._decoder = open_video_decoder(codec)
        self._wish = wish
        self._max_width = max_width
        self.encoder_name, self._options, self.refused = choose_encoder(wish)
        self._encoder: Encoder | None = None
        self._last_time = -1
        self.counts = Counts()

    @property
    def size(self) -> tuple[int, int] | None:
        """Of the pictures that are made, once it is known."""
        return self._encoder.key[:2] if self._encoder else None

    def ask_for_key(self) -> None:
        if self._encoder is not None:
            self._encoder.ask_for_key()

    def take(self, media: Media, *, is_busy: bool) -> Iterator[Media]:
        """Decode one frame, and yield what comes of it. is_busy: leave out encoding. Raises EncoderFailed."""
        self.counts.frames += 1
        packet = av.Packet(b"".join(START_CODE + nal for nal in media.nals))
        packet.pts = media.rtp_time
        try:
            pictures = self._decoder.decode(packet)
        except av.error.FFmpegError:
            self.counts.broken += 1
            pictures = []
        for picture in pictures:
            self.counts.decoded += 1
            # No two at a time, and none backward, whatever the camera said.
            self._last_time = max(self._last_time + 1, picture.pts or 0)
            if media.is_unseen or is_busy:
                self.counts.skipped += not media.is_unseen
            else:
                yield from self._encode(picture, self._last_time, media.arrival_s)

    def _encode(self, picture: Any, rtp_time: int, arrival_s: float) -> Iterator[Media]:
        picture = self._fit(picture)
        key = (picture.width, picture.height, picture.format.name)
        if self._encoder is None or self._encoder.key != key:
            self._encoder = Encoder(self.encoder_name, self._options, self._wish, picture)
        for pts, is_key, nals in self._encoder.encode(picture, rtp_time):
            self.counts.encoded += 1
            yield Media(pts, arrival_s, is_key, nals)

    def _fit(self, picture: Any) -> Any:
        """Return a picture of a size and form that the encoder takes."""
        size = fitted(picture.width, picture.height, self._max_width)
        # H.264 can say that its range is the full one; for VP8 nobody would know.
        keeps_range = picture.format.name in FULL_RANGE and self.encoder_name == "libx264"
        name = picture.format.name if keeps_range else "yuv420p"
        if (picture.width, picture.height, picture.format.name) == (*size, name):
            return picture
        return picture.reformat(*size, format=name)


def run_video(channel: Channel, setup: dict[str, Any]) -> None:
    """Transcode until camgate hangs up."""
    wish = Wish(setup["target"], setup["max_kbps"], setup["hardware"], setup["threads"])
    transcoder = VideoTranscoder(setup["codec"], wish, setup["max_width"])
    told = _tell(channel, transcoder)
    while True:
        kind, body = channel.receive()
        if kind is Kind.KEY:
            transcoder.ask_for_key()
            continue
        is_busy = channel.waiting() >= BUSY_WITH
        try:
            for media in transcoder.take(Media.unpack(body), is_busy=is_busy):
                if transcoder.size != told:
                    told = _tell(channel, transcoder)
                channel.send_packed(media.pack())
        except EncoderFailed as exc:
            channel.send(Kind.FAILED, str(exc).encode())
            return
        channel.send(Kind.TAKEN, transcoder.counts.pack())


def _tell(channel: Channel, transcoder: VideoTranscoder) -> tuple[int, int] | None:
    size = transcoder.size
    facts = {"encoder": transcoder.encoder_name, "refused": transcoder.refused, "size": size}
    channel.send_json(Kind.READY, facts)
    return size
