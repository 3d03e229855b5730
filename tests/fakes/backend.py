"""What an operator's own server, the callback, answers when camgate asks it who may do what."""

import json
from dataclasses import dataclass, field

from tests.fakes.web_server import Answer, Asked


@dataclass
class Backend:
    """Knows anna, who may read `front`."""

    allows: set[tuple[str, str, str]] = field(
        default_factory=lambda: {("anna", "read", "front"), ("anna", "read", "yard")}
    )
    instead: Answer | None = None

    def __call__(self, asked: Asked) -> Answer:
        question = json.loads(asked.body)
        if self.instead is not None:
            return self.instead
        if not question["user"] and not question["token"]:
            return Answer(401)
        if question["user"] == "anna" and question["password"] != "hush":
            return Answer(401)
        who = question["user"] or question["token"]
        return Answer(204 if (who, question["action"], question["path"]) in self.allows else 403)
