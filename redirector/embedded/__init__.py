"""The Redis server that runs where none is configured."""
