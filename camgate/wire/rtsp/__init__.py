"""RTSP 1.0 (RFC 2326) without I/O: bytes and the time in; bytes, events, packets and one next deadline out.

Reading order: `message` and `headers` (the text), `interleaved` (text and media on one TCP stream), `auth`, `url`,
`track` (what a session description offers), `states`, `events`, `errors`, `policies`, `client`, `server`.
"""
