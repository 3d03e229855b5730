"""STUN messages against the sample of RFC 5769, and against aioice, which is another implementation."""

import aioice.stun
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camgate.wire.ice import stun

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
# RFC 5769 section 2.1: a request with SOFTWARE, PRIORITY, ICE-CONTROLLED, USERNAME, MESSAGE-INTEGRITY, FINGERPRINT.
RFC_5769_REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)


def test_reads_the_sample_request_of_rfc_5769() -> None:
    message = stun.parse_stun_untrusted(RFC_5769_REQUEST)
    assert message.message_type == stun.BINDING_REQUEST
    assert message.username == "evtj:h6vY"
    assert message.priority == 0x6E0001FF
    assert not message.use_candidate
    assert message.has_integrity(PASSWORD)
    assert not message.has_integrity(b"another password here!")


@pytest.mark.parametrize("address", [("192.0.2.1", 32853), ("2001:db8:1234:5678:11:2233:4455:6677", 32853)])
def test_answers_are_read_by_aioice(address: tuple[str, int]) -> None:
    request = stun.parse_stun_untrusted(RFC_5769_REQUEST)
    answer = stun.build_binding_success(request, address, PASSWORD)
    theirs = aioice.stun.parse_message(answer)
    assert theirs.check_message_integrity(PASSWORD)
    assert theirs.attributes["XOR-MAPPED-ADDRESS"] == address
    assert theirs.transaction_id == request.transaction_id
    assert stun.read_mapped_address(stun.parse_stun_untrusted(answer)) == address


def test_a_scoped_address_is_mapped_without_its_scope() -> None:
    request = stun.parse_stun_untrusted(RFC_5769_REQUEST)
    answer = stun.build_binding_success(request, ("fe80::1%eth0", 9), PASSWORD)
    assert stun.read_mapped_address(stun.parse_stun_untrusted(answer)) == ("fe80::1", 9)


def test_our_check_is_read_by_aioice() -> None:
    check = stun.build_binding_request(bytes(12), "far:near", PASSWORD, priority=7, tie_breaker=9, use_candidate=True)
    theirs = aioice.stun.parse_message(check)
    assert theirs.check_message_integrity(PASSWORD)
    assert theirs.attributes["USERNAME"] == "far:near"
    assert theirs.attributes["ICE-CONTROLLED"] == 9
    assert "USE-CANDIDATE" in theirs.attributes
    ours = stun.parse_stun_untrusted(check)
    assert ours.use_candidate
    assert ours.has_integrity(PASSWORD)


def test_a_check_of_a_controlling_agent_is_read_by_aioice() -> None:
    check = stun.build_binding_request(bytes(12), "far:near", PASSWORD, priority=7, tie_breaker=9, controlling=True)
    attributes = aioice.stun.parse_message(check).attributes
    assert attributes["ICE-CONTROLLING"] == 9
    assert "ICE-CONTROLLED" not in attributes


def test_attributes_behind_the_integrity_are_ignored() -> None:
    message = stun.parse_stun_untrusted(RFC_5769_REQUEST)
    signed = RFC_5769_REQUEST[: message.integrity_offset + 24]
    forged = signed[:2] + (len(signed) - 20 + 4).to_bytes(2, "big") + signed[4:] + bytes.fromhex("00250000")
    assert not stun.parse_stun_untrusted(forged).use_candidate


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than"),
        (RFC_5769_REQUEST[:19], "shorter than"),
        (bytes(1501), "more than 1500"),
        (RFC_5769_REQUEST[:4] + bytes(4) + RFC_5769_REQUEST[8:], "magic cookie"),
        (RFC_5769_REQUEST[:-4], "length field"),
        (b"\xc0" + RFC_5769_REQUEST[1:], "length field"),
        (RFC_5769_REQUEST[:-1] + b"\0", "FINGERPRINT does not fit"),
        (bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0006000541414141"), "overruns"),
        (bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("00060004ffffffff"), "not UTF-8"),
        (bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("0008000400000000"), "of 4 bytes"),
        (bytes.fromhex("0001000c2112a442") + bytes(12) + bytes.fromhex("802800040000000000250000"), "not the last"),
    ],
)
def test_malformed_messages_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(stun.StunMalformed, match=reason):
        stun.parse_stun_untrusted(data)


def test_a_message_without_integrity_is_not_authentic() -> None:
    bare = bytes.fromhex("000100002112a442") + bytes(12)
    assert not stun.parse_stun_untrusted(bare).has_integrity(PASSWORD)


@given(st.binary(min_size=12, max_size=12), st.text("abcXYZ019+/:", min_size=1), st.integers(0, 2**32 - 1))
def test_what_we_build_we_read(transaction_id: bytes, username: str, priority: int) -> None:
    built = stun.build_binding_request(transaction_id, username, PASSWORD, priority=priority, tie_breaker=1)
    message = stun.parse_stun_untrusted(built)
    assert (message.transaction_id, message.username, message.priority) == (transaction_id, username, priority)


def test_a_question_to_a_server_is_read_by_aioice() -> None:
    query = stun.build_binding_query(bytes(range(12)))
    theirs = aioice.stun.parse_message(query)
    assert (theirs.message_method, theirs.message_class) == (aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST)
    assert theirs.transaction_id == bytes(range(12))
    assert stun.parse_stun_untrusted(query).message_type == stun.BINDING_REQUEST
