"""A WebRTC viewer made of GStreamer's webrtcbin, run by the system's Python (its `gi` comes from a Debian package).

Offers one codec to a WHEP address, decodes what comes, and reads the picture counter. Prints one JSON object a line:
`{"event": "answer", "status": N, "sdp": …}`, then `{"event": "picture", "number": N}` for each picture, null where the
counter cannot be read. Ends after so many pictures, and when stdin closes, so that it never outlives its test.
"""

import argparse
import sys
import urllib.error
import urllib.request
from pathlib import Path

import gi
from reports import report

sys.path.insert(0, str(Path(__file__).parents[3]))
from camgate.demo.blocks import read_blocks

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstApp, GstSdp, GstWebRTC  # noqa: E402

DECODERS = {
    "H264": "rtph264depay ! h264parse ! openh264dec",
    "H265": "rtph265depay ! h265parse ! libde265dec",
}
"""By the name in SDP: GStreamer's own, so that nothing of FFmpeg's or ours has a part in it."""


class Viewer:
    """One peer connection, and the pipeline behind it."""

    def __init__(self, options: argparse.Namespace, loop: GLib.MainLoop) -> None:
        self.options = options
        self.loop = loop
        self.left = options.pictures
        self.pipeline = Gst.Pipeline()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.webrtc.connect("pad-added", self.on_pad_added)
        self.pipeline.add(self.webrtc)
        caps = f"application/x-rtp,media=video,encoding-name={options.codec},payload=96,clock-rate=90000,{options.fmtp}"
        direction = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        self.webrtc.emit("add-transceiver", direction, Gst.Caps.from_string(caps.rstrip(",")))

    def start(self) -> None:
        self.webrtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.pipeline.set_state(Gst.State.PLAYING)

    def on_negotiation_needed(self, _webrtc: Gst.Element) -> None:
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def on_offer(self, promise: Gst.Promise, _data: object) -> None:
        # What is in the reply lives as long as the reply does.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())
        GLib.idle_add(self.exchange, offer.sdp.as_text())

    def exchange(self, offer: str) -> bool:
        request = urllib.request.Request(
            self.options.whep, offer.encode(), {"Content-Type": "application/sdp"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                status, answer = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            report("answer", status=error.code, sdp="")
            self.loop.quit()
            return False
        report("answer", status=status, sdp=answer)
        _, sdp = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.webrtc.emit("set-remote-description", description, Gst.Promise.new())
        return False

    def on_pad_added(self, _webrtc: Gst.Element, pad: Gst.Pad) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        text = f"{DECODERS[self.options.codec]} ! videoconvert ! video/x-raw,format=I420 ! appsink name=sink sync=false"
        decoder = Gst.parse_bin_from_description(text, True)
        sink = decoder.get_by_name("sink")
        sink.set_property("emit-signals", True)
        sink.connect("new-sample", self.on_sample)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def on_sample(self, sink: GstApp.AppSink) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        structure = sample.get_caps().get_structure(0)
        width = structure.get_value("width")
        _, picture = sample.get_buffer().map(Gst.MapFlags.READ)
        try:
            blocks = read_blocks(picture.data, width=width, stride_bytes=(width + 3) // 4 * 4)
        finally:
            sample.get_buffer().unmap(picture)
        report("picture", number=None if blocks is None else blocks.frame)
        self.left -= 1
        if self.left == 0:
            GLib.idle_add(self.loop.quit)
        return Gst.FlowReturn.OK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("whep", help="the camera's WHEP address")
    parser.add_argument("--codec", choices=DECODERS, default="H265")
    parser.add_argument("--fmtp", default="", help="fields of the caps, such as profile-id=(string)1")
    parser.add_argument("--pictures", type=int, default=50)
    options = parser.parse_args()
    Gst.init(None)
    loop = GLib.MainLoop()
    viewer = Viewer(options, loop)

    def on_input(_channel: object, _condition: object) -> bool:
        loop.quit()
        return False

    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_HIGH, GLib.IOCondition.HUP | GLib.IOCondition.IN, on_input)
    viewer.start()
    loop.run()
    viewer.pipeline.set_state(Gst.State.NULL)


if __name__ == "__main__":
    main()
