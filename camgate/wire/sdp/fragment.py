"""Trickle-ICE SDP fragments (RFC 8840), the bodies of WHEP's PATCH: candidates, or the credentials of a restart."""

from dataclasses import dataclass

from camgate.base.errors import RemoteError
from camgate.wire.sdp.answer import LocalTransport
from camgate.wire.sdp.offer import CREDENTIAL_RULE, are_credentials

MAX_FRAGMENT_BYTES = 65_536


class FragmentMalformed(RemoteError):
    """The text is not a trickle-ICE fragment."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"malformed SDP fragment: {self.reason}"


@dataclass(frozen=True, slots=True)
class Fragment:
    """ice_ufrag and ice_pwd are None where the fragment holds only candidates for the current ones."""

    ice_ufrag: str | None
    ice_pwd: str | None
    candidates: tuple[str, ...]
    end_of_candidates: bool


def parse_fragment_untrusted(text: str) -> Fragment:
    """Read a fragment.

    Raises FragmentMalformed when a line is not SDP, and for a password without user name fragment or credentials that
    RFC 8839 does not allow: our checks repeat them to whoever sends us one.
    """
    if len(text) > MAX_FRAGMENT_BYTES:
        raise FragmentMalformed(f"{len(text)} characters, more than {MAX_FRAGMENT_BYTES}")
    attributes: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        kind, equals, value = line.partition("=")
        if line and (not equals or len(kind) != 1):
            raise FragmentMalformed(f"line {number} must be a letter, `=` and a value")
        if kind == "a":
            name, _, rest = value.partition(":")
            attributes.setdefault(name, []).append(rest.strip())
    ufrag, pwd = (attributes.get(name, [None])[0] for name in ("ice-ufrag", "ice-pwd"))
    if not attributes:
        raise FragmentMalformed("no attribute line (a=)")
    if pwd is not None and ufrag is None:
        raise FragmentMalformed("a=ice-pwd without a=ice-ufrag")
    if ufrag is not None and not are_credentials(ufrag, pwd):
        raise FragmentMalformed(CREDENTIAL_RULE)
    return Fragment(ufrag, pwd, tuple(attributes.get("candidate", ())), "end-of-candidates" in attributes)


def build_fragment(transport: LocalTransport, mid: str, kind: str = "video") -> str:
    """Write the answer to an ICE restart: our new credentials and all our candidates."""
    lines = [
        "a=ice-lite",
        f"a=ice-ufrag:{transport.ice_ufrag}",
        f"a=ice-pwd:{transport.ice_pwd}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mid}",
        *(f"a={candidate}" for candidate in transport.candidates),
        "a=end-of-candidates",
    ]
    return "\r\n".join(lines) + "\r\n"
