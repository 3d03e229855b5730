"""`camgate doctor`: what stands in the way of pictures, in words, while camgate runs and while it does not.

A module a kind of check. Each has thin probes, which ask the system, and pure functions that judge what it said and
return `Finding`s; `examine` runs them all. Nothing is sent off this machine but to the configured cameras, unless one
asks for it (`--url`, `--outside`).
"""
