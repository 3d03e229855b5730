"""ICE-lite on the wire: STUN messages (RFC 8489) and the attributes that ICE adds to them (RFC 8445)."""
