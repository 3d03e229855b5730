"""`OnvifCamera`: one camera's ONVIF services, over HTTP; no task of its own, one request at a time.

    camera = OnvifCamera(address, username="viewer", password="…")
    await camera.connect()
    profiles = await camera.profiles()

The login is sent only once the camera asks for one, and as it asks: HTTP Digest where it sends such a challenge, else
WS-Security's UsernameToken. So a wrong password costs one attempt and not two. It is never sent in the clear.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from camgate.base.log import get_logger
from camgate.ingest.dial import Dial, dial_tcp
from camgate.ingest.errors import CameraAway
from camgate.ingest.onvif_http import HttpReply, post
from camgate.wire.onvif.address import ServiceAddress, service_at_untrusted, stream_url_untrusted
from camgate.wire.onvif.device import (
    GET_CAPABILITIES,
    GET_SERVICES,
    GET_TIME,
    MediaServices,
    read_capabilities_untrusted,
    read_services_untrusted,
    read_time_untrusted,
)
from camgate.wire.onvif.errors import LoginNeeded, LoginRefused, MalformedReply, NoMedia, NoOnvif, OnvifFault
from camgate.wire.onvif.media import (
    MediaVersion,
    Profile,
    get_profiles,
    get_stream_uri,
    read_profiles_untrusted,
    read_stream_uri_untrusted,
    set_synchronization_point,
)
from camgate.wire.onvif.soap import Request, envelope, parse_reply_untrusted, username_token
from camgate.wire.onvif.xml import Element
from camgate.wire.rtsp.auth import ClientLogin, parse_challenges_untrusted
from camgate.wire.rtsp.policies import CredentialCharset

TIMEOUT_S = 5.0
"""For one request, its connection included; cameras answer in 0.05 to 1 s."""

NONCE_BYTES = 16

log = get_logger("ingest.onvif")


class Way(Enum):
    """How the login goes along."""

    NONE = auto()
    """The camera has not asked for one yet."""
    TOKEN = auto()
    DIGEST = auto()


def utc_now() -> datetime:
    """Return this machine's wall clock."""
    return datetime.now(UTC)


class OnvifCamera:
    """What was learnt of one camera: where its services are, what its clock says, how it wants the login."""

    def __init__(
        self,
        address: ServiceAddress,
        *,
        username: str | None,
        password: str | None,
        dial: Dial = dial_tcp,
        wall_clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.address = address
        self.media_version = MediaVersion.MEDIA
        self._username = username
        self._password = password or ""
        self._dial = dial
        self._wall_clock = wall_clock
        self._clock_ahead = timedelta(0)
        self._services: dict[MediaVersion, ServiceAddress] = {}
        self._way = Way.NONE
        self._is_confirmed = self._was_right = False
        self._digest = ClientLogin(
            username, password, charset=CredentialCharset.UTF_8, make_cnonce=lambda: os.urandom(8).hex()
        )

    async def connect(self) -> None:
        """Learn the camera's clock, and where its media services are.

        Raises NoOnvif, NoMedia, LoginNeeded, LoginRefused, and what `post` does.
        """
        await self._learn_clock()
        found = await self._find_media()
        named = {MediaVersion.MEDIA2: found.media2, MediaVersion.MEDIA: found.media}
        places = {version: service_at_untrusted(xaddr, self.address) for version, xaddr in named.items() if xaddr}
        self._services = {version: place for version, place in places.items() if place}
        if not self._services:
            raise NoMedia

    async def profiles(self) -> list[Profile]:
        """Return all profiles: of Media2 where it has video, as only that knows H.265, else of Media.

        Raises LoginNeeded, LoginRefused, OnvifFault, MalformedReply, and what `post` does.
        """
        failure: OnvifFault | MalformedReply | None = None
        profiles: list[Profile] = []
        for version in self._services:
            try:
                profiles = read_profiles_untrusted(await self._call_media(version, get_profiles(version)))
            except (OnvifFault, MalformedReply) as error:
                failure = error
                continue
            self.media_version = version
            if any(profile.is_video for profile in profiles):
                break
        if not profiles and failure is not None:
            raise failure
        return profiles

    async def stream_url(self, token: str) -> str | None:
        """Return the URL of a profile's stream, at the host that we dialled and without a login; None for none."""
        version = self.media_version
        reply = await self._call_media(version, get_stream_uri(version, token))
        return stream_url_untrusted(read_stream_uri_untrusted(reply), self.address)

    async def request_key_frame(self, token: str) -> None:
        """Ask for a key frame on the streams of a profile."""
        version = self.media_version
        await self._call_media(version, set_synchronization_point(version, token))

    async def _find_media(self) -> MediaServices:
        try:
            found = read_services_untrusted(await self._call(self.address, GET_SERVICES))
        except (OnvifFault, MalformedReply):
            found = MediaServices()
        return found or read_capabilities_untrusted(await self._call(self.address, GET_CAPABILITIES))

    async def _learn_clock(self) -> None:
        """Set our idea of the camera's clock, by which it judges logins; it is often an hour or years off."""
        try:
            reply = await self._post(self.address, GET_TIME, "")
        except CameraAway as error:
            raise NoOnvif(error.place, f"it {error.reason}") from error
        except MalformedReply as error:
            raise NoOnvif(self.address.place, error.detail) from error
        try:
            told = read_time_untrusted(parse_reply_untrusted(reply.body))
        except OnvifFault:
            told = None
        except MalformedReply as error:
            if reply.status == 401:
                return
            detail = (
                f"it answers {reply.status}" if reply.status != 200 else "what answers there is a web page or the like"
            )
            raise NoOnvif(self.address.place, detail) from error
        self._clock_ahead = told - self._wall_clock() if told else timedelta(0)
        if abs(self._clock_ahead) > timedelta(minutes=1):
            log.debug(
                "the camera's clock is off", address=self.address.place, ahead_s=self._clock_ahead.total_seconds()
            )

    async def _call_media(self, version: MediaVersion, request: Request) -> Element:
        return await self._call(self._services[version], request)

    async def _call(self, service: ServiceAddress, request: Request) -> Element:
        """Make a request, with the login where the camera asks for it."""
        for _ in range(2):
            reply = await self._send(service, request)
            try:
                answer = None if reply.status == 401 else parse_reply_untrusted(reply.body)
            except OnvifFault as fault:
                if not fault.is_about_login:
                    raise
                answer = None
            if answer is not None:
                if self._way is not Way.NONE:
                    self._is_confirmed = self._was_right = True
                    self._digest.confirm()
                return answer
            if not await self._may_try_again(reply):
                break
        raise LoginRefused(request.name if self._was_right else "")

    async def _may_try_again(self, reply: HttpReply) -> bool:
        """Prepare what the camera asks for; False where it refused just that. Raises LoginNeeded."""
        if self._username is None:
            raise LoginNeeded
        asked = [each for each in parse_challenges_untrusted(reply.challenges) if each.scheme == "digest"]
        is_refusal = self._way is Way.DIGEST
        if self._way is Way.TOKEN:
            # It was right before: the camera's clock may have been set since.
            if not self._is_confirmed:
                return False
            self._is_confirmed = False
            await self._learn_clock()
        elif self._digest.take_challenges(asked, is_refusal=is_refusal) is None:
            self._way = Way.DIGEST
        elif is_refusal:
            return False
        else:
            self._way = Way.TOKEN
        return True

    async def _send(self, service: ServiceAddress, request: Request) -> HttpReply:
        header = ""
        if self._way is Way.TOKEN and self._username is not None:
            created = self._wall_clock() + self._clock_ahead
            header = username_token(self._username, self._password, nonce=os.urandom(NONCE_BYTES), created=created)
        return await self._post(service, request, header)

    async def _post(self, service: ServiceAddress, request: Request, header: str) -> HttpReply:
        headers = {"Content-Type": request.content_type}
        if self._way is Way.DIGEST:
            headers["Authorization"] = self._digest.header("POST", service.path) or ""
        return await post(self._dial, service, envelope(request, header), headers, timeout_s=TIMEOUT_S)
