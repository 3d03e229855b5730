"""camgate whose sequence numbers wrap some 4,000 packets after the first viewer's join.

A first viewer starts as close to the wrap as viewers may (`numbering.START_MARGIN_PACKETS`) and plays through it; who
joins a moment later is moved past it.
"""

from functools import partial
from typing import Any

from camgate.__main__ import main
from camgate.serve.webrtc import endpoint
from camgate.serve.webrtc.numbering import START_MARGIN_PACKETS
from camgate.serve.webrtc.sender import Sender

PACKETS_BEFORE = START_MARGIN_PACKETS + 50

if __name__ == "__main__":
    module: Any = endpoint
    module.Sender = partial(Sender, first_index=(1 << 17) - PACKETS_BEFORE)
    main()
