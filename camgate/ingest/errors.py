"""Why a camera gives no pictures, beyond what RTSP itself can say: sentences for the camera's owner."""

from typing import ClassVar

from camgate.base.errors import RemoteError
from camgate.relay.source import Attention
from camgate.wire.rtsp.errors import AuthenticationFailed, NoUsableTrack, UnexpectedStatus, printable, printable_list


class CameraAway(RemoteError):
    """No TCP connection came about: nothing is known of the camera but that it is not there.

    place: host and port; reason: a clause such as `refuses the connection`.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.place} {self.reason}"


class CameraHungUp(RemoteError):
    """The camera ended the connection, or the network did. `reason`: a whole sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class CameraStalled(RemoteError):
    """The connection is open but no picture came for `silent_s` seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(silent_s)
        self.silent_s = silent_s

    def __str__(self) -> str:
        return f"no picture for {self.silent_s:g} s although the connection is open"


class NoKeyFrame(RemoteError):
    """Pictures come, but none that decoding could begin with, for `waited_s` seconds."""

    def __init__(self, waited_s: float) -> None:
        super().__init__(waited_s)
        self.waited_s = waited_s

    def __str__(self) -> str:
        return (
            f"the camera sent pictures for {self.waited_s:g} s but no key frame:"
            " set its key-frame interval to 1-2 s, without intra refresh"
        )


class CameraMoved(RemoteError):
    """The camera asks to be dialled at `url` instead; the supervisor follows it a few times."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return "the camera redirects from address to address without showing a picture"


class TlsFailed(RemoteError):
    """No TLS came about on the connection. `reason`: a clause."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no TLS with the camera: {self.reason}"


class CertificateRefused(RemoteError):
    """The camera shows a certificate that is not trusted.

    reason: why, a clause. shown: the certificate in words, ending with its fingerprint; None where it was not seen.
    is_pinned: another one was expected by its fingerprint.
    """

    def __init__(self, reason: str, shown: str | None = None, *, is_pinned: bool = False) -> None:
        super().__init__(reason, shown)
        self.reason = reason
        self.shown = shown
        self.is_pinned = is_pinned

    def __str__(self) -> str:
        words = f"the camera's certificate is refused: {self.reason}"
        if self.shown is None:
            return words
        when = "if the camera was given a new certificate" if self.is_pinned else "if it is your camera's"
        return f'{words}. It is {self.shown}; {when}, write tls_fingerprint = "{self.shown.rpartition(" ")[2]}"'


class TunnelRefused(RemoteError):
    """The camera did not let an HTTP tunnel begin. status: of its answer; 0 where it closed the connection instead."""

    def __init__(self, status_code: int, reason: str) -> None:
        super().__init__(status_code, reason)
        self.status_code = status_code
        self.reason = reason

    def __str__(self) -> str:
        if not self.status_code:
            return "the camera closed the connection instead of answering to the HTTP tunnel"
        answer = f"{self.status_code} {printable(self.reason)}".rstrip()
        hint = "check the port and path of the URL, and whether it offers RTSP over HTTP"
        return f"the camera answered {answer} to the HTTP tunnel: {hint}"


class UdpSilent(RemoteError):
    """The camera agreed to send over UDP, and nothing came for `silent_s` seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(silent_s)
        self.silent_s = silent_s

    def __str__(self) -> str:
        return (
            f"the camera plays, but no UDP packet came within {self.silent_s:g} s:"
            " let UDP from it through the firewall, or have it sent over TCP"
        )


class NoUdpPorts(RemoteError):
    """This machine has no pair of UDP ports left for the camera's media."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"no pair of UDP ports can be had on this machine: {self.reason}"


class NoTransportWorks(RemoteError):
    """The camera was asked for TCP and for UDP. `tcp`, `udp`: what became of each."""

    def __init__(self, tcp: RemoteError, udp: RemoteError) -> None:
        super().__init__(tcp, udp)
        self.tcp = tcp
        self.udp = udp

    def __str__(self) -> str:
        return f"over TCP: {self.tcp}; over UDP: {self.udp}"


class UnsupportedVideo(RemoteError):
    """The camera shows pictures, but in no codec that this version can pass on. `codecs`: their RTP names."""

    _NAMES: ClassVar = {"H265": "H.265", "JPEG": "Motion JPEG", "MP4V-ES": "MPEG-4 Visual"}

    def __init__(self, codecs: tuple[str, ...]) -> None:
        super().__init__(codecs)
        self.codecs = codecs

    def __str__(self) -> str:
        names = printable_list((self._NAMES.get(codec, codec) for codec in self.codecs), " and ")
        return f"the camera sends {names}, which this version cannot pass on to browsers: set it to H.264 or H.265"


class CameraMute(RemoteError):
    """The camera accepts connections but says no word of RTSP: it hangs, or something in front of it answers.

    is_silent: it did not hang up either, so it may go on at any time with what it was asked. server: who should have
    answered, in words.
    """

    def __init__(self, reason: str, *, is_silent: bool = False, server: str = "RTSP server") -> None:
        super().__init__(reason)
        self.reason = reason
        self.server = server
        self.is_silent = is_silent

    def __str__(self) -> str:
        return f"connections are accepted, but no {self.server} answers: {self.reason}"


class CredentialsNoLongerTaken(RemoteError):
    """401 with credentials that this camera took earlier. Dahua answers so when its connections are used up."""

    def __str__(self) -> str:
        return (
            "refused (401) although these credentials worked before: the camera may have too many clients,"
            " or its password was changed"
        )


def attention_for(error: RemoteError) -> Attention | None:
    """Return what a person must put right before the camera can give pictures; None where waiting may help."""
    match error:
        case AuthenticationFailed() | UnexpectedStatus(status_code=403 | 404):
            return Attention.REFUSED
        case UnsupportedVideo() | NoUsableTrack() | NoKeyFrame():
            return Attention.VIDEO
        case CameraMute():
            return Attention.NO_RTSP
        case CertificateRefused():
            return Attention.CERTIFICATE
        case _:
            return None
