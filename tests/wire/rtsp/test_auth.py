import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.rtsp.auth import (
    BasicCredentials,
    Challenge,
    ClientLogin,
    DigestCredentials,
    Ha1s,
    are_valid,
    as_header_text,
    digest_response,
    hash_all_a1,
    parse_authorization_untrusted,
    parse_challenges_untrusted,
)
from camgate.wire.rtsp.errors import AuthenticationProblem
from camgate.wire.rtsp.policies import CredentialCharset

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
RFC_7616 = DigestCredentials(
    username="Mufasa",
    realm="http-auth@example.org",
    nonce=NONCE,
    uri="/dir/index.html",
    qop="auth",
    nonce_count="00000001",
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
)
LATIN_1 = st.text(alphabet=st.characters(max_codepoint=0xFF, exclude_characters="\r\n"))


def make_login(
    username: str | None = "admin",
    password: str | None = "s3cret",
    charset: CredentialCharset = CredentialCharset.UTF_8,
) -> ClientLogin:
    return ClientLogin(username, password, charset=charset, make_cnonce=lambda: "c0ffee")


def challenges(*values: str) -> list[Challenge]:
    return parse_challenges_untrusted(values)


def answer(login: ClientLogin, method: str = "DESCRIBE", uri: str = "rtsp://host/live") -> DigestCredentials:
    header = login.header(method, uri)
    assert header is not None
    credentials = parse_authorization_untrusted(header)
    assert isinstance(credentials, DigestCredentials)
    return credentials


# The arithmetic.


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("sha-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_responses_of_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    credentials = DigestCredentials(**{**_fields(RFC_7616), "algorithm": algorithm})
    assert digest_response(credentials, method="GET", password="Circle of Life") == response


def test_response_of_rfc_2069_section_2_4_as_its_erratum_749_has_it() -> None:
    credentials = DigestCredentials(
        username="Mufasa",
        realm="testrealm@host.com",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        uri="/dir/index.html",
    )
    assert digest_response(credentials, method="GET", password="CircleOfLife") == "1949323746fe6a43ef61f9606e7febea"


def test_session_variant_hashes_nonces_into_a1() -> None:
    session = DigestCredentials(**{**_fields(RFC_7616), "algorithm": "MD5-sess"})
    # RFC 7616 section 3.4.2, second form of A1.
    ha1 = _md5(f"{_md5('Mufasa:http-auth@example.org:x')}:{NONCE}:{RFC_7616.cnonce}")
    ha2 = _md5("GET:/dir/index.html")
    expected = _md5(f"{ha1}:{NONCE}:00000001:{RFC_7616.cnonce}:auth:{ha2}")
    assert digest_response(session, method="GET", password="x") == expected


def test_unknown_algorithms_have_no_response() -> None:
    credentials = DigestCredentials(**{**_fields(RFC_7616), "algorithm": "SHA-512-256"})
    assert digest_response(credentials, method="GET", password="x") is None
    ha1s = hash_all_a1("Mufasa", credentials.realm, "x")
    assert not are_valid(credentials, method="GET", username="Mufasa", realm=credentials.realm, ha1s=ha1s)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def _fields(credentials: DigestCredentials) -> dict[str, str]:
    return {name: getattr(credentials, name) for name in DigestCredentials.__slots__}


# The texts.


def test_challenges_of_hikvision_and_shelly() -> None:
    several = challenges(
        'Digest realm="IP Camera(1)", nonce="ab,c=d", stale="FALSE", Basic realm="IP Camera(1)"',
        'Digest qop="auth, auth-int" realm=shelly,nonce=1a2b , algorithm=SHA-256,opaque="",stale=TRUE',
    )
    assert several == [
        Challenge(scheme="digest", realm="IP Camera(1)", nonce="ab,c=d"),
        Challenge(scheme="basic", realm="IP Camera(1)"),
        Challenge(
            scheme="digest",
            realm="shelly",
            nonce="1a2b",
            opaque="",
            algorithm="SHA-256",
            qop=frozenset({"auth", "auth-int"}),
            is_stale=True,
        ),
    ]


@pytest.mark.parametrize(
    ("value", "realm"),
    [
        (r'Digest realm="a \"quoted\" one", nonce="1"', 'a "quoted" one'),
        ('Digest realm="never closed', "never closed"),
        ('Digest realm="never closed\\', "never closed"),
        ("Digest REALM = plain", "plain"),
        ('Digest realm="first", realm="second"', "first"),
        ("Digest", ""),
    ],
)
def test_realms(value: str, realm: str) -> None:
    assert [challenge.realm for challenge in challenges(value)] == [realm]


def test_parameters_without_a_scheme_are_nobodys() -> None:
    assert challenges('realm="x", nonce="y"', "", "===") == []


@given(st.builds(Challenge, scheme=st.just("digest"), realm=LATIN_1, nonce=LATIN_1, opaque=st.none() | LATIN_1))
def test_digest_challenges_read_back(challenge: Challenge) -> None:
    assert challenges(str(challenge)) == [challenge]


def test_challenges_with_everything_read_back() -> None:
    everything = Challenge(
        scheme="digest", realm="r", nonce="n", opaque="o", algorithm="SHA-256", qop=frozenset({"auth"}), is_stale=True
    )
    basic = Challenge(scheme="basic", realm="r")
    assert challenges(str(everything), str(basic)) == [everything, basic]
    assert str(basic) == 'Basic realm="r"'


@given(LATIN_1, LATIN_1, LATIN_1, LATIN_1)
def test_digest_credentials_read_back(username: str, realm: str, nonce: str, uri: str) -> None:
    credentials = DigestCredentials(username=username, realm=realm, nonce=nonce, uri=uri, response="00")
    assert parse_authorization_untrusted(str(credentials)) == credentials


@given(LATIN_1.filter(lambda text: ":" not in text), LATIN_1)
def test_basic_credentials_read_back(username: str, password: str) -> None:
    credentials = BasicCredentials(username, password)
    assert parse_authorization_untrusted(str(credentials)) == credentials


def test_unquoted_parameters_stand_last() -> None:
    # live555 stops to read at the first value without quotes.
    text = str(DigestCredentials(**{**_fields(RFC_7616), "algorithm": "MD5", "opaque": "xyz"}))
    assert text.endswith(f', cnonce="{RFC_7616.cnonce}", algorithm=MD5, qop=auth, nc=00000001')
    assert text.startswith('Digest username="Mufasa", realm="http-auth@example.org", nonce="7ypf')


@pytest.mark.parametrize("value", ["", "Bearer abc", "Basic ####", "Basic YQ", "Negotiate"])
def test_other_authorization_is_none(value: str) -> None:
    assert parse_authorization_untrusted(value) is None


def test_broken_authorization_has_empty_fields() -> None:
    assert parse_authorization_untrusted("digest =") == DigestCredentials(username="", realm="", nonce="", uri="")


def test_reprs_hide_passwords() -> None:
    assert "s3cret" not in repr(BasicCredentials("admin", "s3cret"))


def test_text_in_charsets() -> None:
    assert as_header_text("é") == "Ã©"
    assert as_header_text("é", CredentialCharset.LATIN_1) == "é"
    assert as_header_text("日", CredentialCharset.LATIN_1) == as_header_text("日")


# The server's side.


@given(LATIN_1, LATIN_1, st.sampled_from(["", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess"]), st.booleans())
def test_what_a_client_answers_a_server_accepts(username: str, password: str, algorithm: str, with_qop: bool) -> None:
    qop = frozenset({"auth"} if with_qop else ())
    challenge = Challenge(scheme="digest", realm="camgate", nonce="n0nce", algorithm=algorithm, qop=qop)
    login = make_login(username, password, charset=CredentialCharset.LATIN_1)
    assert login.take_challenges([challenge], is_refusal=False) is None
    credentials = answer(login, "PLAY")
    ha1s = hash_all_a1(username, "camgate", password)
    wrong = hash_all_a1(username, "camgate", password + "x")
    only_sha = {"SHA-256": ha1s["SHA-256"]}

    def accepts(ha1s: Ha1s, *, method: str = "PLAY", name: str = username) -> bool:
        return are_valid(credentials, method=method, username=name, realm="camgate", ha1s=ha1s)

    assert accepts(ha1s)
    assert accepts(only_sha) == algorithm.startswith("SHA")
    assert not accepts(wrong)
    assert not accepts(ha1s, method="PAUSE")
    assert not accepts(ha1s, name=username + "x")


def test_basic_is_checked_as_a_whole() -> None:
    credentials = BasicCredentials("admin", "s3cret")
    right, wrong = hash_all_a1("admin", "camgate", "s3cret"), hash_all_a1("admin", "camgate", "s3cre")
    assert are_valid(credentials, method="PLAY", username="admin", realm="camgate", ha1s=right)
    assert not are_valid(credentials, method="PLAY", username="admin", realm="camgate", ha1s=wrong)


# The client's side.


def test_nothing_is_said_before_it_is_asked_for() -> None:
    assert make_login().header("OPTIONS", "rtsp://host/") is None


def test_without_credentials_there_is_no_answer() -> None:
    login = make_login(None, None)
    assert login.take_challenges(challenges("Basic"), is_refusal=False) is AuthenticationProblem.NO_CREDENTIALS
    assert login.header("OPTIONS", "rtsp://host/") is None


MD5 = 'Digest realm="r", nonce="md5"'
SHA_256 = 'Digest realm="r", nonce="sha", algorithm=SHA-256'
BASIC = 'Basic realm="r"'


@pytest.mark.parametrize(
    ("offered", "nonce"),
    [
        ([BASIC, MD5, SHA_256], "sha"),
        ([BASIC, MD5], "md5"),
        (['Digest realm="r", nonce="x", algorithm=SHA-512-256', MD5], "md5"),
        (['Digest realm="r", nonce="x", qop="auth-int", algorithm=SHA-256', MD5], "md5"),
        (['Digest realm="r", algorithm=SHA-256', MD5], "md5"),
        ([MD5, 'Digest realm="r", nonce="second"'], "md5"),
        (['Digest realm="r", nonce="sess", algorithm=SHA-256-sess', MD5], "sess"),
    ],
)
def test_the_best_challenge_is_answered(offered: list[str], nonce: str) -> None:
    login = make_login()
    assert login.take_challenges(challenges(*offered), is_refusal=False) is None
    assert answer(login).nonce == nonce


def test_basic_is_the_last_resort() -> None:
    login = make_login("José", "pä:ss")
    assert login.take_challenges(challenges("Negotiate", BASIC), is_refusal=False) is None
    header = login.header("DESCRIBE", "rtsp://host/")
    assert header is not None
    assert parse_authorization_untrusted(header) == BasicCredentials(as_header_text("José"), as_header_text("pä:ss"))


def test_unknown_schemes_only() -> None:
    problem = make_login().take_challenges(challenges("Negotiate", "NTLM"), is_refusal=False)
    assert problem is AuthenticationProblem.NO_COMMON_SCHEME


def test_nonces_are_counted_from_each_challenge() -> None:
    login = make_login()
    for nonce in ("one", "two"):
        value = f'Digest realm="r", nonce="{nonce}", qop="auth", stale=true'
        assert login.take_challenges(challenges(value), is_refusal=nonce == "two") is None
        assert [answer(login).nonce_count for _ in range(2)] == ["00000001", "00000002"]
        assert answer(login).cnonce == "c0ffee"


def test_a_wrong_password_is_never_tried_twice() -> None:
    login = make_login()
    assert login.take_challenges(challenges('Digest realm="r", nonce="one"'), is_refusal=False) is None
    fresh = challenges('Digest realm="r", nonce="two"')
    assert login.take_challenges(fresh, is_refusal=True) is AuthenticationProblem.REFUSED
    assert login.take_challenges([], is_refusal=True) is AuthenticationProblem.REFUSED


def test_a_stale_nonce_is_replaced() -> None:
    login = make_login()
    assert login.take_challenges(challenges('Digest realm="r", nonce="one"'), is_refusal=False) is None
    assert login.take_challenges(challenges('Digest realm="r", nonce="two", stale=true'), is_refusal=True) is None
    assert answer(login).nonce == "two"


def test_once_right_a_fresh_nonce_is_taken_for_a_stale_one() -> None:
    login = make_login()
    assert login.take_challenges(challenges('Digest realm="r", nonce="one"'), is_refusal=False) is None
    login.confirm()
    assert login.take_challenges(challenges('Digest realm="r", nonce="two"'), is_refusal=True) is None
    same = challenges('Digest realm="r", nonce="two"')
    assert login.take_challenges(same, is_refusal=True) is AuthenticationProblem.REFUSED


def test_no_password_is_an_empty_one() -> None:
    login = make_login("admin", None)
    assert login.take_challenges(challenges(MD5), is_refusal=False) is None
    credentials = answer(login)
    ha1s = hash_all_a1("admin", credentials.realm, "")
    assert are_valid(credentials, method="DESCRIBE", username="admin", realm=credentials.realm, ha1s=ha1s)
