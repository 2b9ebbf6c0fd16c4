"""The HTTP server that both services share: its protocol, its limits, its connections."""
