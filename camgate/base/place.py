"""How an address and a port are written for people."""


def place(host: str, port: int) -> str:
    """Return `host:port` as people write it, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
