-- Drops a sealed batch that is in SQL.
--
-- KEYS[1]  {clicks}:sealed         list of the ids of sealed batches
-- KEYS[2]  {clicks}:flushing:<id>  the sealed hash
-- ARGV[1]  the id
redis.call("LREM", KEYS[1], 0, ARGV[1])
return redis.call("DEL", KEYS[2])
