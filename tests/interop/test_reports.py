"""The lines that a server of the tests writes: whole, whichever threads write them."""

import json
import subprocess
import sys
from pathlib import Path

SERVERS = Path(__file__).parent / "servers"
WRITERS, LINES = 8, 400
PROGRAM = f"""
import sys, threading
sys.setswitchinterval(1e-6)
from reports import report
def write(writer):
    for line in range({LINES}):
        report("said", writer=writer, line=line)
threads = [threading.Thread(target=write, args=(writer,)) for writer in range({WRITERS})]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_lines_of_many_threads_stay_whole() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=SERVERS, capture_output=True, check=True, timeout=60)
    said = [json.loads(line) for line in run.stdout.splitlines()]
    assert sorted((event["writer"], event["line"]) for event in said) == [
        (writer, line) for writer in range(WRITERS) for line in range(LINES)
    ]
