"""Two built-in cameras, so that the first command needs none: encoded test pictures behind a real RTSP server.

Stands on top of everything: it runs the whole of camgate against its own cameras. Not for pictures that matter.
"""
