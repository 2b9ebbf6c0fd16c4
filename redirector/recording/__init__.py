"""Recording: clicks on their way to the journal and to Redis, and who waits for that."""
