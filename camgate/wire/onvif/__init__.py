"""ONVIF as text: SOAP messages built and read, WS-Security, WS-Discovery; no sockets, no clock."""
