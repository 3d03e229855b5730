"""Sans-IO ground: protocols as bytes and time in, bytes and events out. Nothing here does I/O or reads a clock."""
