-- Finds the writers that have recorded nothing for a while. To be asked now and then.
--
-- KEYS[1]  {clicks}:applied   hash of writer -> number of its last applied batch
-- KEYS[2]  {clicks}:observed  hash of writer -> "number time": what was seen when it last changed
-- ARGV[1]  the time, in seconds since the epoch
-- ARGV[2]  for how many seconds a number must not have changed
--
-- Returns their ids.
local numbers = redis.call("HGETALL", KEYS[1])
local idle, living = {}, {}
for i = 1, #numbers, 2 do
  local writer, number = numbers[i], numbers[i + 1]
  living[writer] = true
  local seen = redis.call("HGET", KEYS[2], writer)
  local known, since = string.match(seen or "", "^(%d+) (%d+)$")
  if known ~= number then
    redis.call("HSET", KEYS[2], writer, number .. " " .. ARGV[1])
  elseif tonumber(ARGV[1]) - tonumber(since) >= tonumber(ARGV[2]) then
    idle[#idle + 1] = writer
  end
end
for _, writer in ipairs(redis.call("HKEYS", KEYS[2])) do
  if not living[writer] then
    redis.call("HDEL", KEYS[2], writer)
  end
end
return idle
