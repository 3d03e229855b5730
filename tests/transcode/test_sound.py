"""Real sound of every format through the work of the sound worker: the tone is a tone, at its time."""

import json
import socket
from itertools import pairwise

import pytest

from camgate.transcode.channel import Channel
from camgate.transcode.messages import SOUND_ID, Kind, Media, MessageReader, pack
from camgate.transcode.sound import (
    MAX_FILLED_SAMPLES,
    OPUS_HZ,
    PACKET_SAMPLES,
    SoundTranscoder,
    SoundUnusable,
    run_sound,
)
from tests.fakes import encoded_sound
from tests.fakes.encoded_sound import Sound, decode_opus
from tests.fakes.tone import TONE_HZ, pitch_hz

AAC = ("aac", 16_000, 1)


def transcode(transcoder: SoundTranscoder, sound: Sound, *, start: int = 0, lost: range = range(0)) -> list[Media]:
    return [
        media
        for number, piece in enumerate(sound.pieces)
        if number not in lost
        for media in transcoder.take(Media(start + number * sound.ticks, number / 10, is_key=True, nals=(piece,)))
    ]


def made(sound: Sound, codec: str, clock_hz: int, channels: int = 1) -> list[Media]:
    return transcode(SoundTranscoder(codec, clock_hz, channels, sound.config), sound)


@pytest.mark.parametrize(
    ("codec", "clock_hz", "channels", "encoder", "rate_hz", "code_size"),
    [
        ("MPEG4-GENERIC", 16_000, 1, "aac", 16_000, ""),
        ("MP4A-LATM", 48_000, 2, "aac", 48_000, ""),
        ("G726-16", 8_000, 1, "g726le", 8_000, "2"),
        ("G726-24", 8_000, 1, "g726le", 8_000, "3"),
        ("G726-32", 8_000, 1, "g726le", 8_000, "4"),
        ("G726-40", 8_000, 1, "g726le", 8_000, "5"),
        ("AAL2-G726-32", 8_000, 1, "g726", 8_000, "4"),
        ("L16", 44_100, 2, "pcm_s16be", 44_100, ""),
        ("PCMA", 16_000, 1, "pcm_alaw", 16_000, ""),
        ("PCMU", 8_000, 2, "pcm_mulaw", 8_000, ""),
        ("G722", 8_000, 1, "g722", 16_000, ""),
        # RFC 7587 7: channels in SDP say nothing; Opus is decoded as stereo.
        ("OPUS", 48_000, 2, "libopus", 48_000, ""),
    ],
)
def test_a_tone_comes_through(
    codec: str, clock_hz: int, channels: int, encoder: str, rate_hz: int, code_size: str
) -> None:
    sound = encoded_sound.encode(encoder, rate_hz, channels, clock_hz=clock_hz, code_size=code_size)
    packets = made(sound, codec, clock_hz, channels)
    assert len(packets) >= 30
    heard, samples = decode_opus([media.nals[0] for media in packets])
    assert heard == channels
    steady = samples[OPUS_HZ // 4 :]
    assert pitch_hz(steady, OPUS_HZ) == pytest.approx(TONE_HZ, abs=5)
    assert max(steady) == pytest.approx(encoded_sound.LEVEL, rel=0.25)
    times = [media.rtp_time for media in packets]
    assert {after - before for before, after in pairwise(times[1:])} == {PACKET_SAMPLES}


def test_packing_of_g726_matters() -> None:
    """The names of the two families are mixed up easily, and then there is noise."""
    sound = encoded_sound.encode("g726le", 8_000, code_size="5")
    _, samples = decode_opus([media.nals[0] for media in made(sound, "AAL2-G726-40", 8_000)])
    assert pitch_hz(samples[OPUS_HZ // 4 :], OPUS_HZ) > 2 * TONE_HZ


def test_time_is_the_cameras() -> None:
    sound = encoded_sound.encode(*AAC)
    packets = transcode(SoundTranscoder("MPEG4-GENERIC", 16_000, 1, sound.config), sound, start=16_000 * 100)
    # Opus looks ahead by 6.5 ms.
    assert packets[0].rtp_time == pytest.approx(OPUS_HZ * 100, abs=OPUS_HZ // 100)
    assert packets[-1].rtp_time - packets[0].rtp_time == (len(packets) - 1) * PACKET_SAMPLES
    assert packets[0].arrival_s == 0


def test_a_short_gap_is_silent_and_a_long_one_is_a_gap() -> None:
    sound = encoded_sound.encode(*AAC, seconds=3.0)
    short = transcode(SoundTranscoder("MPEG4-GENERIC", 16_000, 1, sound.config), sound, lost=range(10, 14))
    assert {b.rtp_time - a.rtp_time for a, b in pairwise(short[1:])} == {PACKET_SAMPLES}
    long = transcode(SoundTranscoder("MPEG4-GENERIC", 16_000, 1, sound.config), sound, lost=range(10, 30))
    steps = sorted(b.rtp_time - a.rtp_time for a, b in pairwise(long[1:]))
    assert steps[-2] == PACKET_SAMPLES
    assert steps[-1] > MAX_FILLED_SAMPLES
    for packets in (short, long):
        assert packets[-1].rtp_time == pytest.approx(3 * OPUS_HZ, abs=OPUS_HZ / 6)


def test_time_that_steps_back_rises_all_the_same() -> None:
    sound = encoded_sound.encode(*AAC)
    transcoder = SoundTranscoder("MPEG4-GENERIC", 16_000, 1, sound.config)
    times = [media.rtp_time for start in (1_000_000, 0) for media in transcode(transcoder, sound, start=start)]
    assert times == sorted(set(times))


def test_a_frame_that_does_not_decode_costs_itself() -> None:
    sound = encoded_sound.encode(*AAC)
    transcoder = SoundTranscoder("MPEG4-GENERIC", 16_000, 1, sound.config)
    before = transcode(transcoder, sound._replace(pieces=sound.pieces[:8]))
    assert list(transcoder.take(Media(8 * sound.ticks, 0.0, is_key=True, nals=(b"\xff" * 50,)))) == []
    assert list(transcoder.take(Media(8 * sound.ticks, 0.0, is_key=True, nals=()))) == []
    assert transcoder.broken == 1
    after = transcode(transcoder, sound._replace(pieces=sound.pieces[8:]), start=8 * sound.ticks)
    assert len(before) + len(after) >= 45


@pytest.mark.parametrize(("codec", "config"), [("EVRC", b""), ("MPEG4-GENERIC", b"\xff\xff")])
def test_what_no_decoder_takes_is_said(codec: str, config: bytes) -> None:
    with pytest.raises(SoundUnusable, match=f"{codec} cannot be decoded: "):
        SoundTranscoder(codec, 8_000, 1, config)


def test_channels_may_change_on_the_way() -> None:
    """A frame of AAC may hold a channel pair where the config says one channel: the decoder gives two from there."""
    mono, stereo = encoded_sound.encode(*AAC), encoded_sound.encode("aac", 16_000, 2)
    transcoder = SoundTranscoder("MPEG4-GENERIC", 16_000, 1, mono.config)
    packets, start, channels = [], 0, []
    for sound in (mono, stereo, mono):
        made = transcode(transcoder, sound, start=start)
        channels.append(decode_opus([media.nals[0] for media in made])[0])
        packets += made
        start += len(sound.pieces) * sound.ticks
    assert channels == [1, 2, 2]
    times = [media.rtp_time for media in packets]
    # No more than a packet is missing where stereo begins.
    assert all(PACKET_SAMPLES <= after - before <= 2 * PACKET_SAMPLES for before, after in pairwise(times[1:]))
    assert times[-1] == pytest.approx(start * 3, abs=3 * PACKET_SAMPLES)
    _, samples = decode_opus([media.nals[0] for media in packets if media.rtp_time > 2.2 * OPUS_HZ])
    assert pitch_hz(samples[OPUS_HZ // 4 :], OPUS_HZ) == pytest.approx(TONE_HZ, abs=5)


def test_a_stream_that_fails_ends_no_other() -> None:
    """One worker makes the sound of all cameras."""
    sound = encoded_sound.encode("pcm_mulaw", 8_000)
    ours, theirs = socket.socketpair()
    # Resampling from so many samples a second takes more memory than there can be.
    facts = [("L16", 999_999_999), ("PCMU", 8_000), ("EVRC", 8_000)]
    with ours, theirs:
        for number, (codec, clock_hz) in enumerate(facts):
            described = {"codec": codec, "clock_hz": clock_hz, "channels": 1, "config": ""}
            ours.sendall(pack(Kind.OPEN, SOUND_ID.pack(number), json.dumps(described).encode()))
        for at in range(2):
            for number in range(len(facts)):
                media = Media(at * sound.ticks, 0.0, is_key=True, nals=(sound.pieces[at],))
                ours.sendall(pack(Kind.SOUND, SOUND_ID.pack(number), media.pack_body()))
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(EOFError):
            run_sound(Channel(theirs), {})
        reader = MessageReader()
        reader.receive_data(ours.recv(1 << 20))
    answers = []
    while (message := reader.next_message()) is not None:
        kind, body = message
        answers.append((kind, SOUND_ID.unpack_from(body)[0] if kind is not Kind.READY else None))
    assert [number for kind, number in answers if kind is Kind.HEARD] == [0, 1, 2, 0, 1, 2]
    assert [number for kind, number in answers if kind is Kind.UNUSABLE] == [2, 0]
    assert {number for kind, number in answers if kind is Kind.SOUND} == {1}
