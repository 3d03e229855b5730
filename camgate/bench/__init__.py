"""`camgate bench`: how much this machine carries, measured by real viewers on built-in cameras.

Four processes, so that the server's CPU is only its own: this command, the server, the cameras (`cameras`), and the
viewers (`crowd`). `run` starts them and asks; `result` says what the figures mean.
"""
