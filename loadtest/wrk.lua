-- What wrk sends, and what it tells of the answers.
--
--   wrk ... --script wrk.lua URL -- PATHS [check]
--
-- PATHS  a file with a path a line; they are asked for in turn, over and over
-- check  counts every answer that is no 302. It costs a sixth of what wrk can send; without it wrk
--        counts the statuses from 400 on.
--
-- At the end: one line, "waymark" and a JSON object; times in microseconds.

-- Chrome's, in its order, when a link in a mail is clicked.
local HEADERS = table.concat({
  "Connection: keep-alive",
  'sec-ch-ua: "Chromium";v="138", "Google Chrome";v="138", "Not)A;Brand";v="8"',
  "sec-ch-ua-mobile: ?0",
  'sec-ch-ua-platform: "Windows"',
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    .. "Chrome/138.0.0.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,"
    .. "*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
  "Sec-Fetch-Site: cross-site",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-User: ?1",
  "Sec-Fetch-Dest: document",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Accept-Language: en-US,en;q=0.9",
  "", "",
}, "\r\n")

local requests, last = {}, 0
local threads = {}
others = 0 -- of each thread; global, so that done() can ask for it

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  local tail = " HTTP/1.1\r\nHost: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. HEADERS
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = "GET " .. path .. tail
  end
  if arguments[2] == "check" then
    -- Its mere presence makes wrk read all headers for it.
    function response(status)
      if status ~= 302 then
        others = others + 1
      end
    end
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local errors, checked = summary.errors, 0
  for _, thread in ipairs(threads) do
    checked = checked + thread:get("others")
  end
  print(string.format(
    'waymark {"responses":%d,"others":%d,"broken":%d,"microseconds":%d,"p50":%d,"p99":%d}',
    summary.requests, math.max(checked, errors.status),
    errors.connect + errors.read + errors.write + errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)
  ))
end
