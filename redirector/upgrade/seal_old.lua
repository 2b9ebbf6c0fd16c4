-- Seals the pending counters of versions before journals under their own id, if there are any.
--
-- KEYS[1]  {clicks}:pending  hash of counter -> clicks, with its own "id"
-- KEYS[2]  {clicks}:applied  hash of writer -> number of its last batch that was added
-- KEYS[3]  {clicks}:sealed   list of the ids of sealed batches, oldest first
-- ARGV[1]  {clicks}:flushing: prefix of the keys of sealed batches
--
-- The writers' numbers go along, as "writer:<id>": with these counters and those before them all up
-- to these numbers are in SQL. Returns the ids of all sealed batches, oldest first.
local id = redis.call("HGET", KEYS[1], "id")
if id then
  redis.call("RENAME", KEYS[1], ARGV[1] .. id)
  redis.call("RPUSH", KEYS[3], id)
  local numbers = redis.call("HGETALL", KEYS[2])
  for i = 1, #numbers, 2 do
    redis.call("HSET", ARGV[1] .. id, "writer:" .. numbers[i], numbers[i + 1])
  end
end
return redis.call("LRANGE", KEYS[3], 0, -1)
