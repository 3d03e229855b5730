"""What is sent, and that whoever has the secret can verify it."""

import json

from camgate.webhooks.messages import Event, Message, signed_headers


def test_the_signature_is_the_one_of_the_specifications_own_libraries() -> None:
    # What https://github.com/standard-webhooks/standard-webhooks tests its libraries with.
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        1614265330.7,
    )
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_json() -> None:
    message = Message(
        event=Event.DOWN, happened_s=1e9 + 0.25, camera="front", title="Tür", reason="it hung up", skipped=2
    )
    assert json.loads(message.body()) == {
        "id": message.id,
        "time": "2001-09-09T01:46:40.250Z",
        "event": "camera.down",
        "camera": "front",
        "title": "Tür",
        "reason": "it hung up",
        "skipped": 2,
    }


def test_no_two_messages_share_an_id_and_none_holds_a_full_stop() -> None:
    ids = {Message(event=Event.TEST, happened_s=0).id for _ in range(100)}
    assert len(ids) == 100
    assert not [each for each in ids if "." in each]
