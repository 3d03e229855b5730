"""The server's side of logging in, answered by the client's side and by forgeries."""

import pytest

from camgate.wire.rtsp.auth import BasicCredentials, ClientLogin, parse_challenges_untrusted
from camgate.wire.rtsp.policies import CredentialCharset
from camgate.wire.rtsp.server_login import Login, ServerLogin, hash_password

URL = "rtsp://127.0.0.1:8554/front-door"
PASSWORD = 'pässword: "quoted\\" 密'
USERS = {"viewer": hash_password("viewer", PASSWORD)}


def answer(challenges: list[str], *, username: str = "viewer", password: str = PASSWORD, url: str = URL) -> str:
    login = ClientLogin(username, password, charset=CredentialCharset.UTF_8, make_cnonce=lambda: "c" * 32)
    assert login.take_challenges(parse_challenges_untrusted(challenges), is_refusal=False) is None
    header = login.header("DESCRIBE", url)
    assert header is not None
    return header


def check(server: ServerLogin, header: str | None, *, method: str = "DESCRIBE", url: str = URL) -> Login:
    return server.check_untrusted(header, method=method, url=url, users=USERS)


@pytest.mark.parametrize("index", [0, 1], ids=["SHA-256", "MD5"])
def test_each_digest_challenge_can_be_answered(index: int) -> None:
    server = ServerLogin("nonce")
    challenge = server.challenges(USERS)[index]
    assert ("SHA-256", "MD5")[index] in challenge
    assert check(server, answer([challenge])) is Login.GRANTED


def test_quality_of_protection_is_taken_when_it_comes() -> None:
    server = ServerLogin("nonce")
    header = answer([f'{server.challenges(USERS)[0]}, qop="auth"'])
    assert "nc=00000001" in header
    assert check(server, header) is Login.GRANTED


@pytest.mark.parametrize("header", [None, "", "Bearer token", "Basic !!!", "Digest", "Digest username"])
def test_no_credentials_are_no_failed_login(header: str | None) -> None:
    expected = Login.REFUSED if header and header.startswith("Digest") else Login.MISSING
    assert check(ServerLogin("nonce"), header) is expected


def test_wrong_user_password_method_url_and_realm_are_refused() -> None:
    server = ServerLogin("nonce")
    challenges = server.challenges(USERS)
    assert check(server, answer(challenges, username="somebody")) is Login.REFUSED
    assert check(server, answer(challenges, username="somebody", password="")) is Login.REFUSED
    assert check(server, answer(challenges, password="wrong")) is Login.REFUSED
    assert check(server, answer(challenges), method="SETUP") is Login.REFUSED
    assert check(server, answer(challenges), url=URL + "-2") is Login.REFUSED
    assert check(server, answer([text.replace("camgate", "elsewhere") for text in challenges])) is Login.REFUSED


def test_an_answer_to_another_nonce_is_stale_if_the_password_is_right() -> None:
    server = ServerLogin("new")
    old = ServerLogin("old").challenges(USERS)
    assert check(server, answer(old)) is Login.STALE
    assert check(server, answer(old, password="wrong")) is Login.REFUSED
    assert "stale=true" in server.challenges(USERS, is_stale=True)[0]


def test_the_digest_may_name_the_path_only() -> None:
    server = ServerLogin("nonce")
    assert check(server, answer(server.challenges(USERS), url="/front-door")) is Login.GRANTED


def test_basic_counts_only_where_it_is_offered() -> None:
    header = str(BasicCredentials("viewer", "secret"))
    users, others = ({"viewer": hash_password("viewer", password)} for password in ("secret", "other"))
    closed, open_ = ServerLogin("nonce"), ServerLogin("nonce", offers_basic=True)
    assert closed.check_untrusted(header, method="SETUP", url=URL, users=users) is Login.REFUSED
    assert open_.check_untrusted(header, method="SETUP", url=URL, users=users) is Login.GRANTED
    assert open_.check_untrusted(header, method="SETUP", url=URL, users=others) is Login.REFUSED
    assert not any(text.startswith("Basic") for text in closed.challenges(USERS))
    assert open_.challenges(USERS)[-1] == 'Basic realm="camgate"'


def test_only_what_all_users_can_answer_is_offered() -> None:
    both = hash_password("viewer", PASSWORD)
    users = {"viewer": both, "old": {"MD5": both["MD5"]}}
    (challenge,) = ServerLogin("nonce").challenges(users)
    assert "algorithm=MD5" in challenge


def test_a_hash_of_another_algorithm_is_none() -> None:
    server = ServerLogin("nonce")
    users = {"viewer": {"MD5": USERS["viewer"]["MD5"]}}
    sha, md5 = (answer([challenge]) for challenge in server.challenges(USERS))
    assert server.check_untrusted(sha, method="DESCRIBE", url=URL, users=users) is Login.REFUSED
    assert server.check_untrusted(md5, method="DESCRIBE", url=URL, users=users) is Login.GRANTED


def test_the_hash_is_the_documented_one() -> None:
    # printf '%s' 'viewer:camgate:secret' | sha256sum
    assert hash_password("viewer", "secret") == {
        "SHA-256": "4d565e84e6d017a12d3f45d3f81bf24809a5889bfc0f0275c62af609f76357b8",
        "MD5": "f1cffe02d95b12d310c784392f176aee",
    }


def test_digest_is_not_offered_where_a_login_may_be_nobodys_here() -> None:
    users = {"viewer": hash_password("viewer", "secret")}
    login = ServerLogin("nonce", offers_basic=True, offers_digest=False)
    assert login.challenges(users) == ['Basic realm="camgate"']


def test_a_login_in_clear_is_told_only_where_it_may_come_so() -> None:
    header = str(BasicCredentials("viewer", "a.b.c"))
    assert ServerLogin("nonce", offers_basic=True).in_clear_untrusted(header) == ("viewer", "a.b.c")
    assert ServerLogin("nonce").in_clear_untrusted(header) is None
    assert ServerLogin("nonce", offers_basic=True).in_clear_untrusted(None) is None
    assert ServerLogin("nonce", offers_basic=True).in_clear_untrusted("Basic ???") is None
