"""HTTP: the pages, WHEP and WebSocket signaling, and the API."""
