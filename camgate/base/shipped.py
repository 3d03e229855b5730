"""Where the files are that come with camgate and are not code."""

from pathlib import Path

import camgate


def shipped(name: str) -> Path:
    """Return a directory: `NAME/` of a checkout, `camgate/_NAME` of an installed package."""
    package = Path(camgate.__file__).parent
    installed = package / f"_{name}"
    return installed if installed.is_dir() else package.parent / name
