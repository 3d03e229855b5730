"""`camgate doctor --url`: a camgate from where one sits, as a browser there would find it. Needs no config.

This is the one look that sees what stands between: routers, firewalls, proxies.
"""

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import trio
from cryptography import x509

from camgate.base.errors import RemoteError
from camgate.base.place import place
from camgate.doctor import reach
from camgate.doctor.certificates import judge_certificate
from camgate.doctor.daemon import NoAnswer, Server, trusting_context
from camgate.doctor.finding import FAILED, OK, WARNING, Finding, many

NAME, PAGES, CERTIFICATE, LOGIN, JOIN = "Name", "Pages", "Certificate", "Login", "Joining a camera"
MEDIA_UDP, MEDIA_TCP = reach.MEDIA_UDP, reach.MEDIA_TCP
TIMEOUT_S = 5.0


class BadUrl(RemoteError):
    """Not the URL of a camgate. Never repeats it, as it may hold a login."""

    def __str__(self) -> str:
        return "is no address of a camgate; write http://HOST:PORT/ or https://HOST/, without a login"


@dataclass(frozen=True, slots=True)
class Where:
    """What a URL says. root: path in front of camgate's own, empty mostly."""

    host: str
    port: int
    is_protected: bool
    root: str = ""

    @property
    def scheme(self) -> str:
        """In front of it."""
        return "https" if self.is_protected else "http"

    @property
    def header(self) -> str:
        """What the Host header says (RFC 9110 section 7.2)."""
        return place(self.host, self.port)


def where(url: str) -> Where:
    """Read a URL. Raises BadUrl."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadUrl from None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise BadUrl
    if parts.query or parts.fragment:
        raise BadUrl
    is_protected = parts.scheme == "https"
    return Where(parts.hostname, port or (443 if is_protected else 80), is_protected, parts.path.rstrip("/"))


async def examine_url(url: str, camera: str | None, token: str) -> list[Finding]:
    """Look at a camgate elsewhere. camera: which one to join; None for the first that is live. Raises BadUrl."""
    place_ = where(url)
    findings: list[Finding] = []
    addresses = await _look_up(place_, findings)
    if not addresses:
        return findings
    tls = None
    if place_.is_protected:
        tls = await _look_at_tls(place_, addresses[0], findings)
    server = Server(addresses[0], place_.port, place_.header, tls, place_.root, token)
    knocks = await reach.knock_on_pages(server, addresses)
    findings.append(judge_pages(place_, knocks))
    if not any(knock.reply is reach.Reply.ANSWERED for knock in knocks):
        return findings
    live = camera or await _live_camera(server, findings)
    if live is not None:
        findings += await join(server, live)
    return findings


async def _look_up(there: Where, findings: list[Finding]) -> list[str]:
    try:
        found = await trio.socket.getaddrinfo(there.host, there.port, type=socket.SOCK_STREAM)
    except OSError as error:
        to_do = "look whether the name is right, and whether this machine has a resolver that knows it"
        findings.append(Finding(NAME, FAILED, f"{there.host} is not known: {error.strerror}", to_do))
        return []
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    findings.append(Finding(NAME, OK, f"{there.host} is {many(addresses)}"))
    return addresses


def judge_pages(there: Where, knocks: list[reach.Knock]) -> Finding:
    """Say whether camgate answers, and whether what is sent can be read on the way."""
    missed = [knock for knock in knocks if knock.reply is not reach.Reply.ANSWERED]
    if missed:
        reasons = ", ".join(f"{place(knock.address, there.port)} ({knock.why})" for knock in missed[:4])
        to_do = (
            "does camgate listen beyond its own machine (server.listen), and does a firewall or proxy let this through?"
        )
        verdict = FAILED if len(missed) == len(knocks) else WARNING
        return Finding(PAGES, verdict, f"no answer of camgate at {reasons}", to_do)
    if not there.is_protected and not _is_loopback(there.host):
        to_do = "set server.tls_certificate, or put a proxy with TLS in front"
        return Finding(PAGES, WARNING, "camgate answers, over plain HTTP: who is in between reads passwords", to_do)
    return Finding(PAGES, OK, "camgate answers")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _look_at_tls(there: Where, address: str, findings: list[Finding]) -> ssl.SSLContext:
    """Say what a browser would say of the certificate; return what to go on with."""
    trusting, strict = trusting_context(), ssl.create_default_context()
    try:
        refusal = await trio.to_thread.run_sync(_handshake, there, address, strict, abandon_on_cancel=True)
        shown = await trio.to_thread.run_sync(_handshake, there, address, trusting, abandon_on_cancel=True)
    except (OSError, ssl.SSLError) as error:
        findings.append(Finding(CERTIFICATE, FAILED, f"no TLS came about: {error}", "is this port HTTPS?"))
        return trusting
    findings.append(_judge(there, refusal, shown))
    return trusting if isinstance(refusal, ssl.SSLCertVerificationError) else strict


def _handshake(there: Where, address: str, context: ssl.SSLContext) -> bytes | ssl.SSLCertVerificationError:
    """Return the certificate that is shown, in DER, or why it is not trusted."""
    with socket.create_connection((address, there.port), TIMEOUT_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=there.host) as protected:
                return protected.getpeercert(binary_form=True) or b""
        except ssl.SSLCertVerificationError as error:
            return error


def _judge(
    there: Where, refusal: bytes | ssl.SSLCertVerificationError, shown: bytes | ssl.SSLCertVerificationError
) -> Finding:
    assert isinstance(shown, bytes)
    try:
        certificate = x509.load_der_x509_certificate(shown)
    except ValueError:
        return Finding(CERTIFICATE, FAILED, "what is shown is no certificate", "look at the server's certificate")
    finding = judge_certificate(CERTIFICATE, certificate, (there.host,))
    if finding.verdict is OK and isinstance(refusal, ssl.SSLCertVerificationError):
        to_do = "use one that an authority signed, or have the viewers' machines trust it"
        reason = refusal.verify_message or str(refusal)
        return Finding(CERTIFICATE, WARNING, f"{finding.what}; this machine does not trust it: {reason}", to_do)
    return finding


async def _live_camera(server: Server, findings: list[Finding]) -> str | None:
    try:
        answer = await server.ask("GET", "/api/v1/cameras")
    except NoAnswer as error:
        findings.append(Finding(LOGIN, FAILED, f"the list of cameras is not answered: {error}", "see camgate's log"))
        return None
    if answer.status in (401, 403):
        to_do = "camgate token makes one; hand it over in the environment: CAMGATE_TOKEN=… camgate doctor --url …"
        findings.append(Finding(LOGIN, WARNING, "camgate wants a login, so that no camera could be joined", to_do))
        return None
    cameras = answer.json()
    listed = cameras if answer.status == 200 and isinstance(cameras, list) else []
    live = next(
        (str(each.get("name")) for each in listed if isinstance(each, dict) and each.get("state") == "live"), None
    )
    if live is None:
        what = f"none of {len(listed)} cameras is live" if listed else "there is no camera that one may see"
        findings.append(Finding(JOIN, WARNING, what, "without one nothing can be said about media"))
    return live


async def join(server: Server, camera: str) -> list[Finding]:
    """Join a camera, see which of the addresses that the answer names can be reached, and leave."""
    try:
        joined = await reach.join(server, camera)
    except RemoteError as error:
        return [Finding(JOIN, FAILED, f"{camera} cannot be joined: {error}")]
    try:
        udp = await reach.check_ice(joined, joined.udp)
        tcp = [(await reach.knock_tcp(port, [address]))[0] for address, port in joined.tcp]
    finally:
        with trio.CancelScope(shield=True):
            await reach.leave(server, camera, joined)
    return [Finding(JOIN, OK, f"{camera} was joined, as far as the first checks"), *judge_roads(joined, udp, tcp)]


def judge_roads(joined: reach.Joined, udp: list[reach.Knock], tcp: list[reach.Knock]) -> list[Finding]:
    """Say by which roads media would come from here."""
    ports = dict(joined.udp) | dict(joined.tcp)

    def named(knocks: list[reach.Knock]) -> str:
        return many(place(knock.address, ports[knock.address]) for knock in knocks)

    by_udp, by_tcp = ([knock for knock in knocks if knock.reply is reach.Reply.ANSWERED] for knocks in (udp, tcp))
    found = []
    if by_udp:
        found.append(Finding(MEDIA_UDP, OK, f"ICE checks are answered at {named(by_udp)}"))
    else:
        to_do = "forward the UDP port at the router, open it in firewalls, name the public address in webrtc.advertise"
        verdict = WARNING if by_tcp else FAILED
        found.append(Finding(MEDIA_UDP, verdict, f"no answer at {named(udp) or 'any address'}", to_do))
    if by_tcp:
        found.append(Finding(MEDIA_TCP, OK, f"connections are taken at {named(by_tcp)}"))
    elif tcp:
        to_do = "forward and open the TCP port of the same number, for networks that block UDP"
        found.append(Finding(MEDIA_TCP, WARNING, f"no connection to {named(tcp)}", to_do))
    return found
