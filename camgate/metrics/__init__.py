"""What Prometheus is told of camgate: bounded labels only (camera, codec, reason), never an address or an id."""
