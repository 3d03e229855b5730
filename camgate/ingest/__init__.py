"""From a camera's socket to frames on a stream: dial, session, supervisor with backoff, and the one-shot probe."""
