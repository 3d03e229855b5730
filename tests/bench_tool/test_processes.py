"""Usage of real processes."""

import os
import subprocess
import sys

from camgate.bench.processes import Usage, exists, usage

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"


def test_a_child_is_counted_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        both = usage(process.pid)
        process.communicate(b"\n")
    assert both.cpu_s >= 0.29
    assert both.memory_bytes > 5_000_000


def test_a_process_that_is_gone() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not exists(process.pid)
    assert usage(process.pid) == Usage(0.0, 0)
    assert exists(os.getpid())
