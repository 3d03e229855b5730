"""camgate run against its own cameras: what `camgate demo` does."""

import trio

from camgate import app
from camgate.config.model import ServerSettings, Settings, WebRtcSettings
from camgate.demo.cameras import open_demo_cameras


async def run_demo(
    *,
    server: ServerSettings | None = None,
    webrtc: WebRtcSettings | None = None,
    insecure: bool = False,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the demo cameras and camgate on them until cancelled; started with the URL to open. Raises as `app.run`."""
    async with open_demo_cameras() as cameras:
        settings = Settings(cameras=cameras, server=server or ServerSettings(), webrtc=webrtc or WebRtcSettings())
        await app.run(settings, insecure=insecure, task_status=task_status)
