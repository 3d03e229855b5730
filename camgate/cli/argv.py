"""Takes logins out of the process list: `camgate probe rtsp://admin:secret@cam/` is there for all users to read.

Python cannot overwrite its arguments. So the process replaces itself by one with masked arguments, as the first thing
it does, and hands the real ones over in an anonymous file in memory that only it inherits. They stay visible until
then, for about a tenth of a second; and in the shell's history, of course.
"""

import os
import re
import sys
from contextlib import suppress

from camgate.base.secrets import MASK, mask

_USERINFO = re.compile(r"(://).*@", re.DOTALL)

HANDOVER = "CAMGATE_ARGUMENTS_FD"
"""Environment variable: number of the descriptor with the real arguments, separated by zero bytes."""


def hide_credentials() -> None:
    """Take the real arguments over, or, if there is a login among them, start again without it. May not return."""
    if HANDOVER in os.environ:
        _take_over(os.environ.pop(HANDOVER))
        return
    arguments = sys.argv[1:]
    masked = [hidden(argument) for argument in arguments]
    if masked != arguments and sys.executable:
        # Where the kernel refuses, a login that can be read is better than a command that does not work.
        with suppress(OSError):
            _start_again(arguments, masked)


def credentials_were_given() -> bool:
    """Whether the arguments hold a login, hidden or not."""
    return any(hidden(argument) != argument for argument in sys.argv[1:])


def hidden(argument: str) -> str:
    """Return an argument, or a text that repeats one, without its login; other than in a log, that may have spaces."""
    return mask(_USERINFO.sub(rf"\1{MASK}@", argument))


def _take_over(descriptor: str) -> None:
    with suppress(OSError, ValueError), os.fdopen(int(descriptor), "rb") as handover:
        handover.seek(0)
        sys.argv[1:] = [os.fsdecode(argument) for argument in handover.read().split(b"\0")]


def _start_again(arguments: list[str], masked: list[str]) -> None:
    descriptor = os.memfd_create("camgate-arguments", flags=0)  # without MFD_CLOEXEC, so that it is inherited
    try:
        os.write(descriptor, b"\0".join(map(os.fsencode, arguments)))
        os.environ[HANDOVER] = str(descriptor)
        sys.stdout.flush()
        interpreter = sys.orig_argv[: len(sys.orig_argv) - len(arguments)]
        os.execv(sys.executable, [*interpreter, *masked])  # noqa: S606 (ourselves)
    finally:
        os.environ.pop(HANDOVER, None)
        os.close(descriptor)
