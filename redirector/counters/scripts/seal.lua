-- Seals what is open of the writer, so that it changes no more; returns the names of all batches.
seal()
return redis.call("LRANGE", KEYS[3], 0, -1)
