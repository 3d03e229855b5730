"""RTP and RTCP packets, parsed and built (RFC 3550, RFC 4585)."""
