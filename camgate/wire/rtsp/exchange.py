"""`Exchange`: a request of the client's that is out and may still be answered, and what some answers to it mean."""

from dataclasses import dataclass

OPTIONS_MAY_FAIL = (404, 405, 501)
"""Answers to OPTIONS from cameras that play all the same (gortsplib tolerates 404)."""

NO_SUCH_TRACK = (400, 404)
"""Answers to a SETUP whose URL was made from a Content-Base that means nothing to the camera that sent it."""

REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(slots=True)
class Exchange:
    """has_authorization, was_refused: whether it carried our login, and whether that drew a 401 before."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    cseq: int = 0
    has_authorization: bool = False
    was_refused: bool = False
