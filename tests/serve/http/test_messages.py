"""WebSocket messages, one of each kind; test_signaling has the bad ones, tests/fuzz the rest."""

import pytest

from camgate.serve.http.messages import Candidate, Close, Message, Offer, Ping, parse_message_untrusted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"offer","id":"v1","camera":"a","sdp":"v=0"}', Offer("v1", "a", "v=0", None)),
        ('{"type":"offer","id":"📷","camera":"ä","sdp":"","wait":2.5,"more":[]}', Offer("📷", "ä", "", 2.5)),
        ('{"type":"candidate","id":"1","candidate":"candidate:x"}', Candidate("1", "a=candidate:x\r\n")),
        ('{"type":"candidate","id":"1","candidate":""}', Candidate("1", "a=end-of-candidates\r\n")),
        ('{"type":"close","id":"1"}', Close("1")),
        (' {"type":"ping","id":7} ', Ping()),
    ],
)
def test_messages(text: str, expected: Message) -> None:
    assert parse_message_untrusted(text) == expected
