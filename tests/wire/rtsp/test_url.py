import re
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from camgate.wire.rtsp.errors import MalformedUrl
from camgate.wire.rtsp.url import (
    RtspUrl,
    base_url_untrusted,
    is_absolute,
    join_control_untrusted,
    redact,
    split_url_untrusted,
    without_srtp,
)

OWN = split_url_untrusted("rtsp://admin:s3cret@10.0.0.5:8554/cam/realmonitor?channel=1&subtype=1")
HERE = "rtsp://10.0.0.5:8554"


@pytest.mark.parametrize(
    ("text", "host", "port", "wire"),
    [
        ("rtsp://192.0.2.1/live", "192.0.2.1", 554, "rtsp://192.0.2.1/live"),
        ("rtsp://192.0.2.1:8554", "192.0.2.1", 8554, "rtsp://192.0.2.1:8554"),
        ("rtsps://camera.local/live?x=1&y=2", "camera.local", 322, "rtsps://camera.local/live?x=1&y=2"),
        (" RTSP://camera:/live \n", "camera", 554, "rtsp://camera/live"),
        ("rtsp://[2001:db8::1]:554/a", "2001:db8::1", 554, "rtsp://[2001:db8::1]:554/a"),
        ("rtsp://[fe80::1%eth0]/a", "fe80::1%eth0", 554, "rtsp://[fe80::1%eth0]/a"),
        ("rtsp://host?channel=1", "host", 554, "rtsp://host?channel=1"),
        ("rtsp://host/a b/é%20/%zz", "host", 554, "rtsp://host/a%20b/%C3%A9%20/%zz"),
        ("rtsp://host/\ud800", "host", 554, "rtsp://host/?"),
        ("rtsp://cam.local:554/live@main", "cam.local", 554, "rtsp://cam.local:554/live@main"),
        ("rtsp://192.168.1.5/live@10.0.0.1", "192.168.1.5", 554, "rtsp://192.168.1.5/live@10.0.0.1"),
        ("rtsp://cam/mail=a@b:c@", "cam", 554, "rtsp://cam/mail=a@b:c@"),
    ],
)
def test_urls_without_credentials(text: str, host: str, port: int, wire: str) -> None:
    url = split_url_untrusted(text)
    assert (url.host, url.port, str(url)) == (host, port, wire)
    assert (url.username, url.password) == (None, None)


@pytest.mark.parametrize(
    ("text", "username", "password"),
    [
        ("rtsp://admin:s3cret@192.0.2.1/live", "admin", "s3cret"),
        ("rtsp://admin@192.0.2.1/live", "admin", None),
        ("rtsp://admin:@192.0.2.1/live", "admin", ""),
        ("rtsp://:s3cret@192.0.2.1/live", "", "s3cret"),
        ("rtsp://@192.0.2.1/live", None, None),
        ("rtsp://admin:p@ss:w/o?r#d@192.0.2.1/live", "admin", "p@ss:w/o?r#d"),
        ("rtsp://admin:a/b@192.0.2.1/live", "admin", "a/b"),
        ("rtsp://admin:12/34@192.0.2.1/live", "admin", "12/34"),
        ("rtsp://admin:p@w/x@192.0.2.1/live", "admin", "p@w/x"),
        ("rtsp://admin:#1?@192.0.2.1/live", "admin", "#1?"),
        ("rtsp://admin:100%@192.0.2.1/live", "admin", "100%"),
        ("rtsp://admin:a%40b%zz%C3%A9@192.0.2.1/live", "admin", "a@b%zzé"),
        ("rtsp://admin:%E9@192.0.2.1/live", "admin", "é"),
        ("rtsp://admin:\ud800@192.0.2.1/live", "admin", "?"),
        ("rtsp://a%3Ab:c@192.0.2.1/live", "a:b", "c"),
        ("rtsp://admin:a/b@[2001:db8::1]/live", "admin", "a/b"),
    ],
)
def test_credentials_with_anything_in_them(text: str, username: str | None, password: str | None) -> None:
    url = split_url_untrusted(text)
    assert (url.username, url.password) == (username, password)
    assert str(url).endswith("/live")
    assert url.host in ("192.0.2.1", "2001:db8::1")
    assert "s3cret" not in repr(url)


@given(
    st.from_regex(r"[A-Za-z0-9_-]+", fullmatch=True),
    st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="%"), min_size=1),
    st.sampled_from(["192.0.2.1", "192.0.2.1:8554", "cam.example", "[2001:db8::1]:554"]),
    st.sampled_from(["", "/", "/live", "/cam?channel=1&subtype=0"]),
)
@example("admin", "12/34#56?78@90:", "192.0.2.1", "/live")
def test_a_pasted_password_of_any_characters_comes_out_whole(
    username: str, password: str, authority: str, path: str
) -> None:
    # What reads as a whole URL with a path that has an @ in it is taken for that.
    assume(not re.search(r"@[\w-]+\.[^@]*[/?#]", password))
    text = f"rtsp://{username}:{password}@{authority}{path}"
    url = split_url_untrusted(text)
    assert (url.username, url.password) == (username, password)
    assert str(url) == f"rtsp://{authority}{path}"
    assert redact(text) == f"rtsp://***@{authority}{path}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with rtsp://"),
        ("http://admin:s3cret@host/", "does not begin with rtsp://"),
        ("192.0.2.1:554/live", "does not begin with rtsp://"),
        ("rtsp:///live", "names no host"),
        ("rtsp://admin:s3cret@", "names no host"),
        ("rtsp://admin:s3cret@/live", "names no host"),
        ("rtsp://::1/live", "names no host"),
        ("rtsp://host:port/live", "a port that is no number"),
        ("rtsp://ho st/live", "names no host"),
        ("rtsp://hôte/live", "names no host"),
        ("rtsp://host:0/", "port 0 does not exist"),
        ("rtsp://host:65536/", "port 65536 does not exist"),
    ],
)
def test_what_is_no_rtsp_url_says_why_and_shows_nothing(text: str, words: str) -> None:
    with pytest.raises(MalformedUrl, match=words) as caught:
        split_url_untrusted(text)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://192.0.2.1/live", "rtsp://192.0.2.1/live"),
        ("rtsp://admin:s3cret@192.0.2.1/live", "rtsp://***@192.0.2.1/live"),
        ("rtsp://admin:s3/cr@et@host/live", "rtsp://***@host/live"),
        ("rtsp://admin:12/34@host/live", "rtsp://***@host/live"),
        ("rtsp://rtsp://admin:s3cret@host/", "rtsp://***@host/"),
        (
            "rtsp://192.0.2.1:554/user=admin_password=s3_cr/et_channel=1_stream=0.sdp?real_stream",
            "rtsp://192.0.2.1:554/user=***_password=***_channel=1_stream=0.sdp?real_stream",
        ),
        ("rtsp://192.0.2.1/user=admin&password=&channel=1", "rtsp://192.0.2.1/user=***&password=***&channel=1"),
        ("rtsp://192.0.2.1/live?USR=a&Pwd=b;token=c", "rtsp://192.0.2.1/live?USR=***&Pwd=***;token=***"),
        ("no password=s3cret here", "no password=*** here"),
        ("rtsp://192.0.2.1/superuser=1", "rtsp://192.0.2.1/superuser=1"),
        ("", ""),
    ],
)
def test_redacted(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("candidates", "base"),
    [
        ([None, None], str(OWN)),
        (["", " "], str(OWN)),
        (["rtsp://10.0.0.5:8554/live/", "rtsp://10.0.0.5/other/"], f"{HERE}/live/"),
        ([None, "rtsp://10.0.0.5/other/"], f"{HERE}/other/"),
        (["rtsp://192.168.1.64/live/"], f"{HERE}/live/"),
        (["rtsp://admin:s3/cret@10.0.0.5/live/"], f"{HERE}/live/"),
        (["192.168.1.10:554/stream0/"], str(OWN)),
        (["stream0/"], str(OWN)),
        (["rtsp://rtsp://10.0.0.5/live/"], f"{HERE}/live/"),
        (["rtsp://::ffff:10.0.0.5/live/"], f"{HERE}/live/"),
        (["rtsp://"], str(OWN)),
        (["rtsp://10.0.0.5"], str(OWN)),
        (["/live/"], f"{HERE}/live/"),
        (["http://10.0.0.5/a b\r\n"], f"{HERE}/a%20b"),
    ],
)
def test_base_url(candidates: list[str | None], base: str) -> None:
    assert base_url_untrusted(candidates, OWN) == base


@pytest.mark.parametrize(
    ("base", "control", "joined"),
    [
        ("/live", "trackID=1", "/live/trackID=1"),
        ("/live/", "trackID=1", "/live/trackID=1"),
        ("/live/", "*", "/live/"),
        ("/live/", " ", "/live/"),
        ("/live?a=1", "trackID=1", "/live?a=1/trackID=1"),
        ("/live?a=1/", "trackID=1", "/live?a=1/trackID=1"),
        ("/live", "/trackID=1", "/live/trackID=1"),
        ("/live", "?trackID=1", "/live?trackID=1"),
        ("/live", "rtsp://192.168.1.64:1/x/trackID=1?y", "/x/trackID=1?y"),
        ("/live", "RTSP://u:p@192.168.1.64/x", "/x"),
        ("/live", "rtsps://10.0.0.5", ""),
        ("/live", "track 1\r\nX: y", "/live/track%201%0D%0AX:%20y"),
    ],
)
def test_control_urls(base: str, control: str, joined: str) -> None:
    assert join_control_untrusted(HERE + base, control, OWN) == HERE + joined


def test_absolute_controls() -> None:
    assert is_absolute("rtsp://host/x")
    assert not is_absolute("rtsp://")
    assert not is_absolute("trackID=1")


def test_a_url_knows_itself() -> None:
    assert split_url_untrusted(str(OWN)) == RtspUrl(
        scheme="rtsp", host="10.0.0.5", port=8554, authority="10.0.0.5:8554", path=OWN.path
    )


def test_schemes_without_end_cost_linear_time() -> None:
    started = time.process_time()
    assert join_control_untrusted(f"{HERE}/", "a://" * 60_000, OWN)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/s?enableSrtp", "/s"),
        ("/s?enableSrtp&x=1", "/s?x=1"),
        ("/s?x=1&enableSrtp", "/s?x=1"),
        ("/s?x=1&enableSRTP=1&y=2", "/s?x=1&y=2"),
        ("/s?x=enableSrtp", "/s?x=enableSrtp"),
        ("/enableSrtp", "/enableSrtp"),
    ],
)
def test_srtp_is_not_asked_for(path: str, plain: str) -> None:
    url = split_url_untrusted(f"rtsps://192.0.2.7:7441{path}")
    assert str(without_srtp(url)) == f"rtsps://192.0.2.7:7441{plain}"
    assert (without_srtp(url) is url) == (path == plain)
