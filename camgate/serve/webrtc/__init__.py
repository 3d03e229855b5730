"""Readers of streams that send to browsers over WebRTC.

In reading order: `endpoint` (one UDP port, ICE-lite) -> `peer` (one viewer's life) -> `dtls` (handshake, keys) ->
`sender` (one task a stream) -> `packets`, `viewer`, `numbering`, `datagrams` (the per-packet path) -> `burst` (joins).
"""
