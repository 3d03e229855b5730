"""The metrics of this process and its machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from camgate.load.watch import LoadStatistics
from camgate.serve.rtsp.guests import GuestStatistics
from camgate.serve.webrtc.endpoint import EndpointStatistics
from camgate.webhooks.receiver import WebhookStatistics

Buckets = list[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """This process at one moment. Times in Unix seconds, sizes in bytes."""

    version: str
    load: LoadStatistics
    endpoint: EndpointStatistics
    connects_failed: Mapping[str, int]
    connected: tuple[Buckets, float]
    first_frame: tuple[Buckets, float]
    """Each with the sum of its seconds."""
    logins_refused: int
    logins_throttled: int
    log_lines_dropped: int
    transcoders: int
    tasks: int
    rtsp: GuestStatistics | None = None
    certificate_expires_at: float | None = None
    webhooks: Mapping[str, WebhookStatistics]
    disks: Mapping[str, tuple[int, int]]
    """What is free and what there is, by what camgate keeps there."""


def server_families(server: Server) -> Iterator[Metric]:
    """Return the families of this process."""
    build = GaugeMetricFamily("camgate_build_info", "1, with the version that runs.", labels=["version"])
    build.add_metric([server.version], 1.0)
    yield build
    yield from _loads(server)
    yield from _joins(server)
    yield from _packets(server.endpoint)
    yield from _doors(server)
    yield _gauge("transcoders", "Processes that make another codec now.", server.transcoders)
    if server.rtsp is not None:
        yield _counter("rtsp_clients_refused", "RTSP clients for whom there was no place.", server.rtsp.refused)
        yield _counter("rtsp_sent_bytes", "Bytes sent to RTSP clients.", server.rtsp.bytes_sent)
        words = "Frames that RTSP clients did not get as they took too little."
        yield _counter("rtsp_frames_dropped", words, server.rtsp.dropped_frames)
    yield from _webhooks(server.webhooks)
    words = "When the HTTPS certificate expires, in Unix time."
    yield _gauge("certificate_expiry_timestamp_seconds", words, server.certificate_expires_at)
    free = GaugeMetricFamily("camgate_disk_free_bytes", "Room left where camgate keeps something.", labels=["of"])
    size = GaugeMetricFamily("camgate_disk_size_bytes", "Room there is where camgate keeps something.", labels=["of"])
    for of, (free_bytes, size_bytes) in server.disks.items():
        free.add_metric([of], free_bytes)
        size.add_metric([of], size_bytes)
    yield from (free, size)


def _loads(server: Server) -> Iterator[Metric]:
    load = server.load.load
    yield _gauge(
        "load_ratio", "Share of one core that goes on all the time; limits.max_load is held against it.", load.share
    )
    yield _gauge("thread_load_ratio", "Share of one core that the one thread takes, joins included.", load.thread_share)
    words = "How late tasks get their turn: the median of the last two seconds."
    yield _gauge("event_loop_lag_seconds", words, load.lag_s)
    words = "How old a frame is when its last viewer is sent it: near the worst of the last ten seconds."
    yield _gauge("send_delay_seconds", words, load.delay_s)
    yield _counter("sheds", "Times that a stream was told to skip to its next key frame.", server.load.sheds)
    at_limit = GaugeMetricFamily("camgate_at_limit", "1 for a limit that stops joins now.", labels=["limit"])
    for limit in server.load.limits:
        at_limit.add_metric([limit], float(limit in server.load.admission.at_limit))
    yield at_limit
    yield _gauge("memory_bytes", "Resident memory, that of worker processes included.", load.memory_bytes)
    most_bytes = server.load.limits["max_memory_mb"] * 1e6
    yield _gauge("memory_limit_bytes", "The memory beyond which no more viewers are let in.", most_bytes)
    yield _gauge("tasks", "Tasks that are alive.", server.tasks)


def _joins(server: Server) -> Iterator[Metric]:
    admission = server.load.admission
    yield _counter("joins_admitted", "Offers that were answered with a session.", admission.admitted)
    refused = CounterMetricFamily("camgate_joins_refused", "Offers refused, by the limit.", labels=["reason"])
    for reason, count in admission.refused.items():
        refused.add_metric([reason], count)
    yield refused
    words = "Viewers who never got connected, by how far ICE and DTLS came."
    failed = CounterMetricFamily("camgate_connects_failed", words, labels=["reason"])
    for reason, count in server.connects_failed.items():
        failed.add_metric([reason], count)
    yield failed
    words = "From a viewer's offer to the end of its DTLS handshake."
    yield HistogramMetricFamily("camgate_join_seconds", words, *server.connected)
    words = "From a viewer's offer to the first frame on its way."
    yield HistogramMetricFamily("camgate_first_frame_seconds", words, *server.first_frame)


def _packets(endpoint: EndpointStatistics) -> Iterator[Metric]:
    yield _counter("datagrams_received", "UDP datagrams of viewers and strangers.", endpoint.datagrams_received)
    yield _counter(
        "datagrams_unknown", "Of those, from nobody we know, or beyond a budget.", endpoint.datagrams_unknown
    )
    yield _counter("datagrams_lost", "UDP datagrams that the kernel had no room for.", endpoint.datagrams_lost)
    yield _counter("stun_malformed", "STUN messages that are none.", endpoint.stun_malformed)
    yield _counter("viewers_cut_off", "Viewers sent away as they flooded us.", endpoint.viewers_cut_off)
    yield _counter("send_full", "Sends that the kernel had no room for.", endpoint.send_full)
    yield _counter("send_errors", "Sends that failed.", endpoint.send_errors)
    yield _gauge("webrtc_tcp_connections", "Open TCP connections of viewers (ICE-TCP).", endpoint.tcp_connections)
    yield _counter("webrtc_tcp_refused", "TCP connections of viewers refused.", endpoint.tcp_refused)


def _doors(server: Server) -> Iterator[Metric]:
    yield _counter("logins_refused", "Logins, sessions and tokens refused.", server.logins_refused)
    yield _counter("logins_throttled", "Logins that had to wait as earlier ones failed.", server.logins_throttled)
    yield _counter("log_lines_dropped", "Log lines dropped as writing is too slow.", server.log_lines_dropped)


def _webhooks(webhooks: Mapping[str, WebhookStatistics]) -> Iterator[Metric]:
    sent = CounterMetricFamily("camgate_webhook_messages", "Messages that a webhook has taken.", labels=["webhook"])
    failed = CounterMetricFamily("camgate_webhook_attempts_failed", "Attempts to send one.", labels=["webhook"])
    words = "Messages that a webhook never got: too many waited, for too long, or it wants none."
    dropped = CounterMetricFamily("camgate_webhook_messages_dropped", words, labels=["webhook", "reason"])
    waiting = GaugeMetricFamily("camgate_webhook_messages_waiting", "Messages not taken yet.", labels=["webhook"])
    for name, of in webhooks.items():
        sent.add_metric([name], of.sent)
        failed.add_metric([name], of.attempts_failed)
        for reason, count in of.dropped.items():
            dropped.add_metric([name, reason], count)
        waiting.add_metric([name], of.waiting)
    yield from (sent, failed, dropped, waiting)


def _gauge(name: str, words: str, value: float | None) -> Metric:
    """Return a family without labels; without a sample, too, where there is no value."""
    return GaugeMetricFamily(f"camgate_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"camgate_{name}", words, value=value)
