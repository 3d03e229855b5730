"""What `RtspClient.statistics()` tells."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RtspClientStatistics:
    """A snapshot of one connection's counters.

    unknown_channel_packets: interleaved frames on channels that were never set up.
    resyncs, garbage_bytes: how often the start of the next frame had to be searched for, and what was skipped.
    unmatched_responses: answers to no request of ours that is still open.
    reauthentications: 401 answers after which the request was repeated with another nonce.
    """

    state: str
    bytes_received: int
    packets_received: int
    unknown_channel_packets: int
    resyncs: int
    garbage_bytes: int
    requests_sent: int
    responses_received: int
    unmatched_responses: int
    server_requests: int
    keepalives_sent: int
    keepalives_answered: int
    reauthentications: int
