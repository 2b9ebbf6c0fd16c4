-- What wrk sends, and what it tells of the answers.
--
--   wrk ... --script wrk.lua URL -- PATHS [check] [new-fields]
--
-- PATHS       a file with a path a line; they are asked for in turn, over and over
-- check       counts every answer that is no 302. It costs a sixth of what wrk can send; without it
--             wrk counts the statuses from 400 on.
-- new-fields  every head is another, as they come from a proxy behind a CDN: with a new address, a
--             new trace and a new cookie each.
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

-- What a proxy puts before the browser's, what a CDN puts there, and a cookie of the shop's; the
-- letters D stand for digits.
local FORWARDED = "X-Forwarded-For: 10.1DD.1DD.1DD\r\nX-Forwarded-Proto: https\r\n"
  .. "CF-Ray: 9a3fDDDDDDDD00c2-FRA\r\nCF-Visitor: {\"scheme\":\"https\"}\r\n"
local COOKIE = "Cookie: consent=yes; session=DDDDDDDD4f0e2b77a1c95d36\r\n"

local ffi = require("ffi")

local paths -- all of the file, as a pointer to it
local kept -- the same as a string, which must not be collected
local starts, lengths = {}, {} -- of each path in there
local requests, gaps = {}, {} -- by the path's length: the text, and a pointer to where the path is
local digits = {} -- by the same: pointers to the bytes of each number, the last digit first
local last = 0
local sent = 0
local threads = {}
others = 0 -- of each thread; global, so that done() can ask for it

function setup(thread)
  threads[#threads + 1] = thread
end

-- Each number is written from its last digit on; of a number with fewer digits the first are left.
function find_digits(numbers, text, from, request)
  for _, name in ipairs({"X%-Forwarded%-For", "CF%-Ray", "Cookie"}) do
    local start, stop = request:find("\n" .. name .. ": [^\r]*", from)
    local places = {}
    for place = stop, start, -1 do
      if request:byte(place) == ("D"):byte() then
        places[#places + 1] = text + place - 1
      end
    end
    numbers[#numbers + 1] = places
  end
end

function init(arguments)
  local options = {}
  for place = 2, #arguments do
    options[arguments[place]] = true
  end
  local head = "Host: " .. wrk.host .. ":" .. wrk.port .. "\r\n" .. HEADERS
  if options["new-fields"] then
    head = FORWARDED .. head:sub(1, -3) .. COOKIE .. "\r\n"
  end
  local tail = " HTTP/1.1\r\n" .. head
  local file = assert(io.open(arguments[1], "rb"))
  kept = file:read("*a")
  file:close()
  paths = ffi.cast("const char *", kept)
  for start, stop in kept:gmatch("()[^\n]+()") do
    local length = stop - start
    starts[#starts + 1], lengths[#lengths + 1] = start - 1, length
    if not requests[length] then
      requests[length] = "GET " .. ("-"):rep(length) .. tail
      local text = ffi.cast("char *", ffi.cast("const char *", requests[length]))
      gaps[length] = text + #"GET "
      digits[length] = {}
      if options["new-fields"] then
        find_digits(digits[length], text, #"GET " + length, requests[length])
      end
    end
  end
  if options.check then
    -- Its mere presence makes wrk read all headers for it.
    function response(status)
      if status ~= 302 then
        others = others + 1
      end
    end
  end
end

-- The path is written into a string that is there already, which wrk copies at once. To make one of
-- each path would take minutes for 100,000: LuaJIT hashes some bytes of a long string only, and in
-- these hardly any differ.
function request()
  last = last % #starts + 1
  local length = lengths[last]
  ffi.copy(gaps[length], paths + starts[last], length)
  sent = sent + 1
  local numbers = digits[length]
  for number = 1, #numbers do
    local rest = sent
    local places = numbers[number]
    for place = 1, #places do
      places[place][0] = 48 + rest % 10
      rest = math.floor(rest / 10)
    end
  end
  return requests[length]
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
