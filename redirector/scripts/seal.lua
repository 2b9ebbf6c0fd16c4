-- Seals the pending counters under their id, so that they change no more and can be flushed.
--
-- KEYS[1]  {clicks}:pending  hash of "campaign_id:hour:audience" -> clicks, with its own "id"
-- KEYS[2]  {clicks}:applied  hash of writer -> number of its last applied batch
-- KEYS[3]  {clicks}:sealed   list of the ids of sealed batches, oldest first
-- ARGV[1]  {clicks}:flushing: prefix of the keys of sealed batches, in the same slot
--
-- Returns the ids of all sealed batches, oldest first. While one waits nothing more is sealed: what
-- comes meanwhile adds up in the pending counters, so that SQL's absence makes no heap of batches.
--
-- The id is as old as the first click (scripts/record.lua): a copy of these counters, come back
-- after they were flushed, has it too, and the ledger refuses it. The writers' numbers go along, as
-- "writer:<id>": with these counters and those before them all up to these numbers are in SQL,
-- which a writer asks when Redis has forgotten what it had.
if redis.call("LLEN", KEYS[3]) == 0 then
  local id = redis.call("HGET", KEYS[1], "id")
  if id then
    redis.call("RENAME", KEYS[1], ARGV[1] .. id)
    redis.call("RPUSH", KEYS[3], id)
    local numbers = redis.call("HGETALL", KEYS[2])
    for i = 1, #numbers, 2 do
      redis.call("HSET", ARGV[1] .. id, "writer:" .. numbers[i], numbers[i + 1])
    end
  end
end
return redis.call("LRANGE", KEYS[3], 0, -1)
