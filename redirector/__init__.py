"""The way of a click: HTTP to Redis to SQL."""
