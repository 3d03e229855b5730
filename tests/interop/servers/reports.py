"""What a server that tests run says of itself: one JSON object a line, from any thread."""

import json
import os
import sys


def report(event: str, **fields: object) -> None:
    """Write one line to standard output, whole: a short write to a pipe is never mixed with another's (pipe(7))."""
    # print() writes the text and the line's end one after the other, and another thread's line may come in between.
    os.write(sys.stdout.fileno(), json.dumps({"event": event, **fields}).encode() + b"\n")
