"""Streams out to RTSP clients, media interleaved in the TCP connection.

`listener` accepts, `connection` is the shell around `wire.rtsp.server`, `sender` makes a stream's packets,
`description` its SDP.
"""
