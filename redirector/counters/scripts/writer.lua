-- What the scripts share: one writer's counters. Each script begins with this text.
--
-- KEYS[1]  waymark:{<writer>}         hash: "number" of the last record that is in, or was; of what
--                                     is open the "first" number and the "version" of its counters
-- KEYS[2]  waymark:{<writer>}:open    hash of counter -> clicks
-- KEYS[3]  waymark:{<writer>}:sealed  list of sealed batches, oldest first, each "first-last-version";
--                                     the hash of each is at its own key behind that of the list
--
-- All of this may be lost, or put back as it was, at any time: what a writer's records are counted
-- by is SQL's number alone.

-- Seconds after which a writer's counters are forgotten: SILENT_SECONDS in tracking/writers.py.
local EXPIRY = 30 * 24 * 3600

local function batch(name)
  return KEYS[3] .. ":" .. name
end

local function seal()
  local state = redis.call("HMGET", KEYS[1], "number", "first", "version")
  if state[2] and redis.call("EXISTS", KEYS[2]) == 1 then
    local name = state[2] .. "-" .. state[1] .. "-" .. state[3]
    redis.call("RENAME", KEYS[2], batch(name))
    redis.call("RPUSH", KEYS[3], name)
    redis.call("EXPIRE", KEYS[3], EXPIRY)
    redis.call("HDEL", KEYS[1], "first")
  end
end

-- Drops all counters, and says that records up to this number are in.
local function restart(number)
  for _, name in ipairs(redis.call("LRANGE", KEYS[3], 0, -1)) do
    redis.call("DEL", batch(name))
  end
  redis.call("DEL", KEYS[1], KEYS[2], KEYS[3])
  redis.call("HSET", KEYS[1], "number", string.format("%d", number))
  redis.call("EXPIRE", KEYS[1], EXPIRY)
end
