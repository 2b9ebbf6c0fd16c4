-- Adds a writer's batch of clicks to the pending counters, once.
--
-- KEYS[1]  {clicks}:pending   hash of "campaign_id:hour:audience" -> clicks
-- KEYS[2]  {clicks}:applied   hash of writer -> number of its last applied batch
-- ARGV[1]  the writer's id
-- ARGV[2]  the batch's number: 1, 2, 3 ... for each writer
-- ARGV[3]  field, ARGV[4] clicks, and so on in pairs
--
-- Returns 1 when the batch was added, 0 when it had been before (its reply was lost).
--
-- Redis does not roll a failed script back. Nothing here fails half-way: a wrong type of either key
-- fails at the first command that touches it, before anything was added, and so does a full memory
-- or disk.
local last = tonumber(redis.call("HGET", KEYS[2], ARGV[1]) or "0")
if tonumber(ARGV[2]) <= last then
  return 0
end
for i = 3, #ARGV, 2 do
  redis.call("HINCRBY", KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call("HSET", KEYS[2], ARGV[1], ARGV[2])
return 1
