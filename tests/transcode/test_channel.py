"""A worker's end of its socket: whole messages in order, and an end when camgate is gone."""

import socket
from collections.abc import Iterator

import pytest

from camgate.transcode.channel import Channel
from camgate.transcode.messages import Kind, MessageReader, pack


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Channel(theirs)


def test_messages_come_whole_however_they_are_sent(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    data = pack(Kind.KEY) + pack(Kind.MEDIA, b"first", b" half") + pack(Kind.MEDIA, b"second")
    ours.sendall(data[:-3])
    assert channel.receive() == (Kind.KEY, b"")
    assert channel.waiting() == 1
    ours.sendall(data[-3:])
    assert channel.waiting() == 2
    assert channel.receive() == (Kind.MEDIA, b"first half")
    assert channel.receive() == (Kind.MEDIA, b"second")
    assert channel.waiting() == 0


def test_answers_are_messages(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    channel.send(Kind.FAILED, b"no ", b"picture")
    channel.send_json(Kind.READY, {"encoder": "libx264"})
    reader = MessageReader()
    reader.receive_data(ours.recv(1000))
    assert reader.next_message() == (Kind.FAILED, b"no picture")
    assert reader.next_message() == (Kind.READY, b'{"encoder": "libx264"}')


def test_the_end_of_camgate_is_an_end(ends: tuple[socket.socket, Channel]) -> None:
    ours, channel = ends
    ours.sendall(pack(Kind.KEY))
    ours.close()
    assert channel.receive() == (Kind.KEY, b"")
    with pytest.raises(EOFError):
        channel.receive()
    with pytest.raises(OSError, match="pipe"):
        channel.send(Kind.FAILED, b"too late")
