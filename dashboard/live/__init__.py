"""Live numbers: server-sent events that follow the counts of an open screen."""
