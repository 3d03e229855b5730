"""From errors to exit codes: a line on stderr for each problem, and no traceback of an error that was foreseen."""

import errno
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import typer

from camgate.base.errors import RemoteError
from camgate.base.log import get_logger
from camgate.base.secrets import mask
from camgate.config.errors import CONFIG_FILE, ConfigError, StartError

FAILED = 1
BAD_CONFIG = BAD_USAGE = 2
CANNOT_WRITE = 3
"""Not 1, with which some commands answer."""
_OUTPUT_ENDS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE}

log = get_logger("cli")


@contextmanager
def exit_codes(config: Path | None = None, *, options: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Turn errors of the block into a line and an exit code.

    A StartError names a key: of the file `config`, or, where `options` knows it, of the command line.
    """
    try:
        yield
    except (typer.TyperException, typer.Exit, typer.Abort):
        raise
    except Exception as error:
        cause = _only_cause(error)
        if isinstance(cause, StartError):
            cause = StartError(options.get(cause.key, cause.key), cause.sentence, cause.remedy)
        raise typer.Exit(_tell(cause, config)) from None


def refuse(command: str, sentence: str) -> NoReturn:
    """Say what is wrong with how a command was called, without repeating what it was given, and end."""
    typer.echo(f"camgate {command}: {sentence}", err=True)
    raise typer.Exit(BAD_USAGE)


def _tell(error: BaseException, config: Path | None) -> int:
    match error:
        case ConfigError():
            typer.echo(mask(str(error)), err=True)
            return BAD_CONFIG
        case StartError():
            from camgate.config.load import start_problem  # with all that reads a config; most commands end well

            typer.echo(mask(str(start_problem(error, config))), err=True)
            if error.remedy and config is not None:
                typer.echo(error.remedy.replace(CONFIG_FILE, shlex.quote(str(config))), err=True)
            return BAD_CONFIG
        case RemoteError():
            typer.echo(mask(f"camgate: {error}"), err=True)
            return FAILED
        case OSError(errno=number, filename=None) if number in _OUTPUT_ENDS:
            return _end_output(error)
        case _:
            log.exception("camgate ends by an error of its own; please report it")
            return FAILED


def _end_output(error: OSError) -> int:
    """Say that nobody takes what a command prints, and have Python not try again at its end."""
    if not isinstance(error, BrokenPipeError):  # whoever reads no more knows that
        typer.echo(f"camgate: cannot write what there is to say: {error.strerror}", err=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return CANNOT_WRITE


def _only_cause(error: BaseException) -> BaseException:
    """Return the error inside of the groups that nurseries put around it, if it is alone there."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
