-- Seals the pending counters under a batch id, so that they change no more and can be flushed.
--
-- KEYS[1]  {clicks}:pending        hash of "campaign_id:hour:audience" -> clicks
-- KEYS[2]  {clicks}:sealed         list of the ids of sealed batches, oldest first
-- KEYS[3]  {clicks}:flushing:<id>  the hash that the pending one becomes
-- ARGV[1]  the id
--
-- Returns the ids of all sealed batches, oldest first. While one waits nothing more is sealed: what
-- comes meanwhile adds up in the pending counters, so that SQL's absence makes no heap of batches.
if redis.call("LLEN", KEYS[2]) == 0 and redis.call("EXISTS", KEYS[1]) == 1 then
  redis.call("RENAME", KEYS[1], KEYS[3])
  redis.call("RPUSH", KEYS[2], ARGV[1])
end
return redis.call("LRANGE", KEYS[2], 0, -1)
