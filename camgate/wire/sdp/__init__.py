"""Session descriptions (RFC 8866): `session` reads and writes the lines, `media` knows what they mean for RTP."""
