"""A `Control` that notes what it is asked, and answers as it is told."""

from camgate.relay.errors import ViewerError
from camgate.serve.http.control import NoControl, Reloaded


class FakeControl(NoControl):
    """refusal: raised instead of an answer. asked_by: who has asked for a reload so far."""

    def __init__(self) -> None:
        self.refusal: ViewerError | None = None
        self.asked_by: list[str] = []

    async def reload(self, by: str) -> Reloaded:
        self.asked_by.append(by)
        if self.refusal is not None:
            raise self.refusal
        return Reloaded(added=("front",), changed={"yard": ("url",)}, restarted=("yard",), ended=2)
