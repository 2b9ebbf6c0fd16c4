-- Adds a range of the writer's records to its counters when it follows what is in; else nothing.
--
-- ARGV[1]  the number up to which the writer's records are in SQL, as the writer knows it
-- ARGV[2]  the range's first and
-- ARGV[3]  last number; 0: nothing is to be added
-- ARGV[4]  the version of the counters' names
-- ARGV[5]  how many counters a batch has at most, if it had any before
-- ARGV[6]  how many counters there are; they follow, those first that have more than one click
-- ARGV[7]  how many of them have more than one click; their clicks stand at the end
--
-- Returns the number of the writer's last record that is in, by which the writer goes on.
--
-- What lies below SQL's number is void: it is in SQL, and the writer's counters came from a copy of
-- Redis's data, or are gone.
--
-- Redis does not roll a failed script back. A key of a wrong type fails at the first command that
-- touches it, and a full memory at the first that writes: before anything was added. Counters are
-- written many at once: one HINCRBY each takes longer. Lua's unpack takes some thousands; its
-- numbers are doubles, exact up to 2^53 clicks of a counter between two flushes.
local AT_ONCE = 1000
local BEFORE = 7

local acknowledged, first, last = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call("HMGET", KEYS[1], "number", "first", "version")
local number = tonumber(state[1] or "0")
if number < acknowledged then
  restart(acknowledged)
  number, state = acknowledged, {}
end
if last < first or last == 0 or first ~= number + 1 then
  return number
end
local counters, more = tonumber(ARGV[6]), tonumber(ARGV[7])
if not state[2] then
  redis.call("DEL", KEYS[2]) -- nobody knows whose records these are
end
local held = redis.call("HLEN", KEYS[2])
if held > 0 and (state[3] ~= ARGV[4] or held + counters > tonumber(ARGV[5])) then
  seal()
  held = 0
end
for begin = BEFORE + 1, BEFORE + counters, AT_ONCE do
  local finish = math.min(begin + AT_ONCE - 1, BEFORE + counters)
  local known = held > 0 and redis.call("HMGET", KEYS[2], unpack(ARGV, begin, finish))
  local fields = {}
  for i = begin, finish do
    local clicks = i <= BEFORE + more and ARGV[i + counters] or 1
    local before = known and known[i - begin + 1] or 0
    fields[#fields + 1] = ARGV[i]
    fields[#fields + 1] = string.format("%d", before + clicks)
  end
  redis.call("HSET", KEYS[2], unpack(fields))
end
redis.call("HSET", KEYS[1], "number", ARGV[3], "version", ARGV[4])
if held == 0 then
  redis.call("HSET", KEYS[1], "first", ARGV[2])
end
for _, key in ipairs(KEYS) do
  redis.call("EXPIRE", key, EXPIRY)
end
return last
