"""The flusher: moves clicks from Redis into SQL."""
