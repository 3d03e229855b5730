"""What must never be read in a log, an error or a table: values known to be secret, and text that looks like one.

Whoever learns a secret (a password of the config, a value of the environment) registers it here before using it;
whoever shows text passes it through `mask`. Two nets under each other: registered values are found wherever they
stand and however they are escaped, and patterns catch credentials that nobody registered (the user part of a URL,
an `Authorization` header).
"""

import base64
import html
import json
import re
from urllib.parse import quote_from_bytes

MASK = "***"

MIN_FREE_STANDING_CHARS = 4
"""Shorter secrets are masked only as whole words: masking each `a` of a log would hide the log, not the secret."""

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The user part of any URL, up to the last @: passwords are pasted with unescaped / ? # and @ in them.
    (re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*://)\S*@", re.IGNORECASE), rf"\1{MASK}@"),
    # A header with credentials up to its end, be it raw, in a repr (`\r\n` as four characters) or in a tuple.
    (
        re.compile(r"((?:authorization|cookie)b?['\"]?\s*[:=,]\s*)(?:(?!\\r|\\n)[^\r\n])+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    # RFC 7616 section 3.4: the proof of the password, which can be attacked offline.
    (re.compile(r"(?<![a-z])(response=\"?)[0-9a-f]{32,64}", re.IGNORECASE), rf"\1{MASK}"),
    # Credentials in a path or query: `/user=admin_password=x_channel=1.sdp` (Xiongmai), `?usr=a&pwd=b` (Foscam).
    (
        re.compile(r"(?<![a-z])((?:password|passwd|pass|pwd|psw|secret|token|auth)=)[^\s&;,\"']+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
)


class Secrets:
    """The secrets that one process knows."""

    def __init__(self) -> None:
        self._values: frozenset[str] = frozenset()
        self._compiled = self._values, re.compile("(?!)")

    def register(self, value: str) -> None:
        """From now on mask `value`, also percent-encoded or escaped for Python, JSON or HTML. Blank values are not."""
        if not value.strip() or value in self._values:
            return
        # A new set, as other threads mask meanwhile; compiled when needed, as hundreds of cameras register in a row.
        self._values = self._values | {value}

    def register_login(self, username: str, password: str) -> None:
        """Mask a password, and the token that HTTP Basic makes of it and its user name."""
        self.register(password)
        self.register(base64.b64encode(f"{username}:{password}".encode(errors="surrogatepass")).decode())

    def forget(self) -> None:
        """Mask none of the values any more; the looks of credentials still are."""
        self._values = frozenset()

    def mask(self, text: str) -> str:
        """Return `text` with `***` in place of every secret."""
        values, pattern = self._compiled
        if values is not self._values:
            pattern = self._compile()
        text = pattern.sub(MASK, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _compile(self) -> re.Pattern[str]:
        values = self._values
        longest_first = sorted(values, key=len, reverse=True)
        self._compiled = values, re.compile("|".join(map(_pattern_of, longest_first)) or "(?!)")
        return self._compiled[1]


def _pattern_of(value: str) -> str:
    pattern = "".join(map(_pattern_of_character, value))
    if len(value) < MIN_FREE_STANDING_CHARS:
        return rf"(?<![A-Za-z0-9]){pattern}(?![A-Za-z0-9])"
    return pattern


def _pattern_of_character(character: str) -> str:
    """Match a character however it was escaped, so that a mixture of escaped and plain ones is found too."""
    if character.isascii() and character.isalnum():
        return character
    percent = quote_from_bytes(character.encode(errors="surrogatepass"), safe="")
    forms = {character, percent, percent.lower(), f"\\{character}", repr(character)[1:-1], json.dumps(character)[1:-1]}
    forms |= {html.escape(character), character.encode("unicode_escape").decode(), "+" if character == " " else percent}
    return f"(?:{'|'.join(re.escape(form) for form in sorted(forms, key=len, reverse=True))})"


_known = Secrets()
register_secret = _known.register
register_login = _known.register_login
forget_secrets = _known.forget
mask = _known.mask
