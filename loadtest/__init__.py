"""The load test: visitors, bots and an API client; then, whether every click was counted once."""
