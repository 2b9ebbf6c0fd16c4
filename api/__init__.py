"""The HTTP API over the domain."""
