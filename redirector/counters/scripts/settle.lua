-- Drops what SQL has of the writer.
--
-- ARGV[1]  the number up to which the writer's records are in SQL
-- ARGV[2]  "refused" when SQL refused a batch: then all counters are void, and the writer, which
--          keeps what SQL has not, goes on from SQL's number
if ARGV[2] == "refused" then
  restart(tonumber(ARGV[1]))
  return
end
for _, name in ipairs(redis.call("LRANGE", KEYS[3], 0, -1)) do
  local last = tonumber(string.match(name, "^%d+-(%d+)-"))
  if last and last <= tonumber(ARGV[1]) then
    redis.call("DEL", batch(name))
    redis.call("LREM", KEYS[3], 0, name)
  end
end
