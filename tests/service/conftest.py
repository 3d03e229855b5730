"""What the tests of the service share: whoever it reports to."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.service_manager import ServiceManager


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    with closing(ServiceManager.at(tmp_path)) as manager:
        yield manager


@pytest.fixture
def slow_manager(tmp_path: Path) -> Iterator[tuple[ServiceManager, int]]:
    """One that reads nothing, and how many messages its socket takes until then."""
    with closing(ServiceManager.at(tmp_path)) as manager:
        count = 0
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as other:
            try:
                while True:
                    other.sendto(b"other", manager.address)
                    count += 1
            except BlockingIOError:
                yield manager, count
