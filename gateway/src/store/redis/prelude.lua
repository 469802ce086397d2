-- Shared by all scripts, in front of each. The script is the product's own arithmetic in Lua:
-- core/src/account.rs is the model, and store/redis/tests/model.rs compares them call by call.
--
-- Numbers are doubles here. Every amount is below 2^53, so sums and differences are exact; money
-- is added by HINCRBY from the text that came in. TIME is asked once: it moves within a script.
local call, pack, unpacked = redis.call, cmsgpack.pack, cmsgpack.unpack
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local LARGEST = 9007199254740991

-- A whole number as text; tostring would give 14 digits.
local function text(number)
  return string.format('%.0f', number)
end

-- A bucket as of now: its level, when that was right, and its earmark. Never used: full.
local function bucket(raw, rate, full)
  if not raw then return full, now end
  local level, at, till, owed, holder = unpacked(raw)
  if now > at then
    local flow = (now - at) * rate
    if flow >= full - level then level = full else level = level + flow end
    at = now
  end
  if level > full then level = full end
  return level, at, till, owed, holder
end

-- A level after adding credit: debt has a floor, so that it stays exact.
local function added(level, credit, full)
  level = level + credit
  if level > full then return full end
  if level < -LARGEST then return -LARGEST end
  return level
end

local function stored(level, at, till, owed, holder)
  if till then return pack(level, at, till, owed, holder) end
  return pack(level, at)
end
