"""An RTSP camera made of gst-rtsp-server, run by the system's Python (its `gi` comes from a Debian package).

Serves one mount: a live picture that carries the picture counter, or a file, of H.264 or H.265. Prints one JSON object
a line:
`{"event": "ready", "port": N}` when it accepts connections, `{"event": "connected"}` for each connection, and
`{"event": "response", "status": N}` for each answer. Ends on SIGTERM, and when stdin closes, so that it never outlives
its test.

The picture counter ("blocks"): cells of width // 40 pixels, three rows at the top left. In each row cell 0 is white,
cell 1 black, cells 2-33 hold 32 bits, most significant first, white for 1, and cell 34 makes their parity even.
Row 0 is the picture's number, row 1 the Unix time of drawing in milliseconds modulo 2**32, row 2 the camera's number.
"""

import argparse
import math
import random
import signal
import struct
import sys
import time

import gi
from reports import report

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer"
BLACK, GREY, WHITE = 16, 110, 235
"""Luma of the counter's cells and of the background, in the limited range that H.264 cameras use."""
MASK = 0xFFFFFFFF
MAX_LATE_S = 1.0
"""Pictures that are later than this are left out, not taken one right after the other."""
TONE_HZ, TONE_LEVEL = 440, 16_000
PIECE_MS = 20
SOUNDS = {
    "pcma": (8_000, "alawenc ! rtppcmapay name=pay1 pt=8"),
    "pcmu": (8_000, "mulawenc ! rtppcmupay name=pay1 pt=0"),
    "g722": (16_000, "avenc_g722 ! rtpg722pay name=pay1 pt=9"),
    "opus": (48_000, "opusenc ! rtpopuspay name=pay1 pt=97"),
    "garbage": (48_000, "rtpopuspay name=pay1 pt=97"),
    "aac": (16_000, "avenc_aac ! rtpmp4gpay name=pay1 pt=97"),
    "latm": (48_000, "avenc_aac ! rtpmp4apay name=pay1 pt=97"),
    "g726": (8_000, "avenc_g726 bitrate=32000 ! rtpg726pay force-aal2=false name=pay1 pt=97"),
    "l16": (44_100, "audioconvert ! rtpL16pay name=pay1 pt=97"),
}
"""Sampling rate, and the elements that encode and packetise. `garbage` calls itself Opus.

By default rtpg726pay names its samples as RFC 3551 does, and packs them as ITU-T I.366.2 does, the other way round.
"""


def main() -> None:
    options = parse_options()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(options.address)
    server.set_service(str(options.port))
    server.connect("client-connected", on_client_connected)
    factory = file_factory(options) if options.file else PictureSource(options).factory()
    if options.username or options.certificate:
        guard(server, factory, options)
    if options.transports != "all":
        factory.set_protocols(getattr(GstRtsp.RTSPLowerTrans, options.transports.upper()))
    server.get_mount_points().add_factory(options.mount, factory)
    if not server.attach(None):
        sys.exit(f"port {options.port} is in use")

    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGTERM, loop.quit)
    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_HIGH, GLib.IOCondition.HUP | GLib.IOCondition.IN, stop(loop))
    report("ready", port=server.get_bound_port())
    loop.run()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], fromfile_prefix_chars="@")
    parser.add_argument("--port", type=int, default=0, help="0 = any free port")
    parser.add_argument("--mount", default="/cam")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--transports", choices=("all", "tcp", "udp"), default="all", help="others are answered 461")
    parser.add_argument("--certificate", help="serve RTSPS with this PEM file, certificate and key")
    parser.add_argument("--username")
    parser.add_argument("--password", default="")
    parser.add_argument("--login", choices=("basic", "digest"), default="digest")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--gop", type=int, default=25, help="pictures from key frame to key frame")
    parser.add_argument("--kbps", type=int, default=800)
    parser.add_argument("--camera", type=int, default=1, help="the number drawn in row 2")
    parser.add_argument("--parameter-sets", choices=("in-band", "sdp"), default="in-band")
    parser.add_argument("--audio", choices=tuple(SOUNDS), help="a tone of 440 Hz beside the live picture")
    parser.add_argument("--picture-delay-ms", type=int, default=0, help="how late it sends them")
    parser.add_argument("--codec", choices=("h264", "h265"), default="h264")
    parser.add_argument("--profile", choices=("constrained-baseline", "main", "high"), help="of H.264")
    parser.add_argument("--b-frames", action="store_true", help="of H.264")
    parser.add_argument("--file", help="serve this Matroska file of that codec instead of the live picture")
    return parser.parse_args()


def stop(loop: GLib.MainLoop):
    def on_input(_channel: object, _condition: object) -> bool:
        loop.quit()
        return False

    return on_input


def on_client_connected(_server: object, client: GstRtspServer.RTSPClient) -> None:
    report("connected")
    client.connect("send-message", on_send_message)


def on_send_message(_client: object, _session: object, message: GstRtsp.RTSPMessage) -> None:
    outcome, status, _reason, _version = message.parse_response()
    if outcome == GstRtsp.RTSPResult.OK:
        report("response", status=int(status))


def guard(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, options: argparse.Namespace
) -> None:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    if not options.username:
        auth.set_default_token(token)
    elif options.login == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(options.username, options.password, token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.username, options.password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("access", "construct"):
        permissions.add_permission_for_role(ROLE, f"media.factory.{permission}", True)
    factory.set_permissions(permissions)


def payloader(options: argparse.Namespace) -> str:
    interval = -1 if options.parameter_sets == "in-band" else 0
    return f"rtp{options.codec}pay name=pay0 pt=96 config-interval={interval}"


def encoder(options: argparse.Namespace) -> str:
    common = f"tune=zerolatency speed-preset=ultrafast bitrate={options.kbps} key-int-max={options.gop}"
    if options.codec == "h265":
        return f"x265enc {common} option-string=bframes=0:log-level=none ! h265parse"
    if options.b_frames:
        # Without the caps the payloader would ask for Baseline.
        common = f"speed-preset=veryfast rc-lookahead=4 bitrate={options.kbps} key-int-max={options.gop}"
        return f"x264enc {common} bframes=2 b-adapt=false ! video/x-h264,profile=main"
    if options.profile:
        # The preset above has none of what tells the higher profiles apart.
        preset = "ultrafast" if options.profile == "constrained-baseline" else "superfast"
        eighths = "true" if options.profile == "high" else "false"
        common = common.replace("ultrafast", preset) + f" bframes=0 dct8x8={eighths}"
        return f"x264enc {common} ! video/x-h264,profile={options.profile}"
    return f"x264enc {common} bframes=0"


def sound(options: argparse.Namespace) -> str:
    if not options.audio:
        return ""
    rate, rest = SOUNDS[options.audio]
    # Not audiotestsrc, which is seekable: the server would seek at PLAY, and fail, as the pictures are not.
    source = "appsrc name=sound is-live=true format=time caps="
    if options.audio == "garbage":
        return f"{source}audio/x-opus,rate={rate},channels=2,channel-mapping-family=0 ! {rest}"
    return f"{source}audio/x-raw,format=S16LE,rate={rate},channels=1,layout=interleaved ! audioconvert ! {rest}"


def file_factory(options: argparse.Namespace) -> GstRtspServer.RTSPMediaFactory:
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f'( filesrc location="{options.file}" ! matroskademux ! {options.codec}parse ! {payloader(options)} )'
    )
    factory.set_shared(True)
    return factory


class PictureSource:
    """Draws the counter's pictures into the pipeline of whoever watches."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        # A number that is larger in a process that starts later, so that a reader can tell old pictures from new ones.
        self.number = int(time.time() * options.fps) & MASK
        self.appsrc = None
        self.tone = Tone(options.audio) if options.audio else None
        self.set_size(options.width, options.height)
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, self.on_resize)

    def set_size(self, width: int, height: int) -> None:
        self.width, self.height, self.cell = width, height, width // 40
        self.caps = f"video/x-raw,format=I420,width={width},height={height},framerate={self.options.fps}/1"
        self.background = bytes([GREY]) * (width * height) + bytes([128]) * (width * height // 2)

    def on_resize(self) -> bool:
        """Double the picture's sides, or take them back, in mid-stream: as another profile or the night does."""
        factor = 2 if self.width == self.options.width else 1
        self.set_size(factor * self.options.width, factor * self.options.height)
        if self.appsrc is not None:
            self.appsrc.set_property("caps", Gst.Caps.from_string(self.caps))
        return True

    def factory(self) -> GstRtspServer.RTSPMediaFactory:
        options = self.options
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f"( appsrc name=pictures is-live=true format=time caps={self.caps}"
            f" ! {encoder(options)} ! {payloader(options)} {sound(options)} )"
        )
        factory.set_shared(True)
        factory.set_latency(0)
        factory.connect("media-configure", self.on_media)
        self.due_s = time.monotonic()
        self.on_tick()
        if self.tone is not None:
            GLib.timeout_add(PIECE_MS, self.tone.on_tick)
        return factory

    def on_media(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        self.appsrc = media.get_element().get_by_name("pictures")
        if self.tone is not None:
            self.tone.begin(media.get_element().get_by_name("sound"))
        media.connect("prepared", self.on_prepared)
        media.connect("unprepared", self.on_unprepared, self.appsrc)

    def on_prepared(self, media: GstRtspServer.RTSPMedia) -> None:
        """Report each second instead of each five: no test needs to wait so long."""
        for place in range(media.n_streams()):
            session = media.get_stream(place).get_rtpsession()
            if session is not None:
                session.set_property("rtcp-min-interval", Gst.SECOND)

    def on_unprepared(self, _media: object, appsrc: Gst.Element) -> None:
        # Called from a thread of the server's, and maybe after the next media has begun.
        if self.appsrc == appsrc:
            self.appsrc = None
            if self.tone is not None:
                self.tone.end()

    def on_tick(self) -> bool:
        """Take a picture, by the clock: a timer of its own would be late again and again on a busy machine."""
        self.due_s = max(self.due_s + 1 / self.options.fps, time.monotonic() - MAX_LATE_S)
        GLib.timeout_add(max(0, round((self.due_s - time.monotonic()) * 1000)), self.on_tick)
        self.number = (self.number + 1) & MASK
        # While a picture is drawn, another thread may set it to None; an error here would end the timer for good.
        appsrc = self.appsrc
        if appsrc is not None:
            self.push(appsrc)
        return False

    def push(self, appsrc: Gst.Element) -> None:
        """Send a picture with the time at which it was taken, at once or later.

        Not by `do-timestamp`, which does not wait for the pipeline's base time either: see `running_ns`.
        """
        now_ns = running_ns(appsrc)
        if now_ns is None:
            return
        buffer = Gst.Buffer.new_wrapped(self.draw())
        buffer.pts = now_ns

        def push_now() -> bool:
            appsrc.emit("push-buffer", buffer)
            return False

        if self.options.picture_delay_ms:
            GLib.timeout_add(self.options.picture_delay_ms, push_now)
        else:
            push_now()

    def draw(self) -> bytes:
        picture = bytearray(self.background)
        self.draw_bar(picture)
        for row, value in enumerate((self.number, int(time.time() * 1000) & MASK, self.options.camera)):
            self.draw_row(picture, row, value)
        return bytes(picture)

    def draw_bar(self, picture: bytearray) -> None:
        """A bar that moves, so that pictures differ by more than the counter."""
        width, height = self.width, self.height
        left = self.number * 8 % (width - self.cell)
        for y in range(height // 2, height // 2 + self.cell):
            picture[y * width + left : y * width + left + self.cell] = bytes([WHITE]) * self.cell

    def draw_row(self, picture: bytearray, row: int, value: int) -> None:
        bits = [1, 0, *(value >> (31 - i) & 1 for i in range(32)), value.bit_count() & 1]
        line = b"".join(bytes([WHITE if bit else BLACK]) * self.cell for bit in bits)
        for y in range(row * self.cell, (row + 1) * self.cell):
            start = y * self.width
            picture[start : start + len(line)] = line


def running_ns(element: Gst.Element) -> int | None:
    """Return how long the pipeline of `element` has run; None where it does not yet."""
    clock, base_ns = element.get_clock(), element.get_base_time()
    # The server's thread sets the clock first and the base time a moment later: without one, buffers would be of a time
    # hours ahead, for which their sink would wait.
    return clock.get_time() - base_ns if clock and base_ns else None


class Tone:
    """Makes sound as a camera's microphone does: pieces of PIECE_MS that join, the first one at the present time.

    SIGUSR1 ends it for good.
    """

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.rate = SOUNDS[codec][0]
        self.random = random.Random(5)
        self.is_over = False
        GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, self.stop)
        self.appsrc = None
        self.samples = 0
        self.began_ns = 0
        self.began_s = 0.0

    def begin(self, appsrc: Gst.Element) -> None:
        self.appsrc, self.samples = appsrc, 0

    def end(self) -> None:
        self.appsrc = None

    def stop(self) -> bool:
        self.is_over = True
        return True

    def on_tick(self) -> bool:
        appsrc = self.appsrc
        now_ns = None if appsrc is None or self.is_over else running_ns(appsrc)
        if now_ns is not None:
            if not self.samples:
                self.began_ns, self.began_s = now_ns, time.time()
            # As many as are due: a timer that is late must not make the sound slower.
            while self.began_ns + self.samples * Gst.SECOND // self.rate <= now_ns:
                self.push(appsrc)
        return True

    def level(self, place: int) -> int:
        """Half as loud in odd seconds of Unix time: a clock in the sound, as the blocks are one in the picture."""
        return TONE_LEVEL >> (int(self.began_s + (self.samples + place) / self.rate) & 1)

    def push(self, appsrc: Gst.Element) -> None:
        count = self.rate * PIECE_MS // 1000
        step = 2 * math.pi * TONE_HZ / self.rate
        wave = (round(self.level(place) * math.sin(step * (self.samples + place))) for place in range(count))
        is_garbage = self.codec == "garbage"
        data = self.random.randbytes(90) if is_garbage else struct.pack(f"<{count}h", *wave)
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = self.began_ns + self.samples * Gst.SECOND // self.rate
        buffer.duration = PIECE_MS * Gst.MSECOND
        self.samples += count
        appsrc.emit("push-buffer", buffer)


if __name__ == "__main__":
    main()
