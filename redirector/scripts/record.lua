-- Adds a writer's batches of clicks to the pending counters, each once.
--
-- KEYS[1]  {clicks}:pending   hash of "campaign_id:hour:audience" -> clicks; and "id", under which it
--                             will be flushed, and "run", the server's run id when it was begun
-- KEYS[2]  {clicks}:applied   hash of writer -> number of its last applied batch
-- KEYS[3]  {clicks}:sealed    list of the ids of sealed batches
-- ARGV[1]  the writer's id
-- ARGV[2]  the server's run id
-- ARGV[3]  {clicks}:flushing: prefix of the keys of sealed batches, in the same slot
-- ARGV[4]  an id for the pending hash, should it begin with these batches; never used before
-- ARGV[5]  the number of the writer's last batch that this server confirmed
-- ARGV[6]  the batches, in the order of their numbers, each: its number, how many fields it has, how
--          many of them have more than one click; the fields, each once, those first that have
--          more; their clicks
--
-- Returns the number of the writer's last applied batch. When that is lower than the last that was
-- sent here, the server has forgotten what it had confirmed (it lost its memory, or has an older
-- copy of it), and nothing was added: the writer decides what is still to be sent.
--
-- Counters that were begun before the server started may come from a copy that is older than what
-- was flushed. They are sealed under their own id, by which the ledger knows them; new clicks must
-- not be added to them. The writers' numbers go along, as in scripts/seal.lua.
--
-- Redis does not roll a failed script back. No batch of up to AT_ONCE fields, and writers' have no
-- more (MAX_FIELDS in redirector/batches.py), fails half-way: a wrong type of a key fails at the
-- first command that touches it, before anything was added, and so does a full memory or disk; a
-- counter that is no number fails before its batch is added, and behind those that were added and
-- noted. Fields are written many at once: one HINCRBY a field would take nearly twice as much of the
-- append-only file, and longer. Lua's unpack takes some thousands.
--
-- Lua's numbers are doubles, which are exact up to 2^53 clicks of a counter between two flushes.
local AT_ONCE = 1000

-- Adds to the counters that ARGV[first] to ARGV[last] name: one click, but to those before
-- ARGV[once] as many as ARGV says `away` from the name.
local function add(first, last, once, away)
  local counts = redis.call("HMGET", KEYS[1], unpack(ARGV, first, last))
  local counters = {}
  for j = 1, #counts do
    local i = first + j - 1
    counters[2 * j - 1] = ARGV[i]
    counters[2 * j] = string.format("%d", (counts[j] or 0) + (i < once and ARGV[i + away] or 1))
  end
  redis.call("HSET", KEYS[1], unpack(counters))
end

local last = tonumber(redis.call("HGET", KEYS[2], ARGV[1]) or "0")
if last < tonumber(ARGV[5]) then
  return last
end
local run = redis.call("HGET", KEYS[1], "run")
if run ~= ARGV[2] then
  if run then
    local id = redis.call("HGET", KEYS[1], "id")
    redis.call("RENAME", KEYS[1], ARGV[3] .. id)
    redis.call("RPUSH", KEYS[3], id)
    local numbers = redis.call("HGETALL", KEYS[2])
    for j = 1, #numbers, 2 do
      redis.call("HSET", ARGV[3] .. id, "writer:" .. numbers[j], numbers[j + 1])
    end
  end
  redis.call("HSET", KEYS[1], "run", ARGV[2], "id", ARGV[4])
end
local i = 6
while i < #ARGV do
  local number, fields, more = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local begin, after = i + 3, i + 3 + fields
  if number > last then
    for first = begin, after - 1, AT_ONCE do
      add(first, math.min(first + AT_ONCE, after) - 1, begin + more, fields)
    end
    last = number
    redis.call("HSET", KEYS[2], ARGV[1], last)
  end
  i = after + more
end
return last
