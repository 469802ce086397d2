-- Takes all that a hold asks for, or nothing. The body of a function: both.lua calls it.
-- KEYS 1 account  2 record  3 leases  4 outbox  5 run (only with a run's budget)
-- ARGV 1 {id, lease, longest wait or -1, 1 to force or 2 to probe, pinned, seeded, from, amount,
--         requests, input, output, run, run's limit, buckets, gauges, budgets,
--         per bucket: field, rate, period, capacity, need, floor;
--         per gauge: field, limit;
--         per budget: name, bound or -1, alert at 100 %, window, its end, next window, its end}
-- Writes nothing unless it grants, except earmarks and the mark of a first refusal.
local account, record = KEYS[1], KEYS[2]
local a = unpacked(ARGV[1])
local id, max_wait, force, probe, pinned, amount = a[1], a[3], a[4] == 1, a[4] == 2, a[5] == 1, a[8]
local seen = call('GET', record)
if seen and not probe then return pack('D', now, string.sub(seen, 1, 1)) end
local run, run_limit = a[12], a[13]
local nb, ng, nm = a[14], a[15], a[16]
local B = 16
local G = B + nb * 6
local M = G + ng * 2

local run_now
if run ~= '' then
  run_now = call('HMGET', KEYS[5], 'l', 's', 'h')
  if run_now[1] and run_now[1] ~= run_limit and not probe then return pack('L', now, run_now[1]) end
end

-- Which windows are current is decided here, by the clock that all replicas share.
if nm > 0 and not pinned and now < a[7] then return pack('C', now) end
local fields = {'ep', 'cd'}
for i = 1, nb do fields[2 + i] = a[B + i * 6 - 5] end
for i = 1, ng do fields[2 + nb + i] = a[G + i * 2 - 1] end
local f = 2 + nb + ng
local win, ends, base, later = {}, {}, {}, {}
for i = 1, nm do
  local o = M + i * 7 - 7
  local w, e, l = a[o + 4], a[o + 5], 0
  if now >= e and not pinned then
    w, e, l = a[o + 6], a[o + 7], 1
    if now >= e then return pack('C', now) end
  end
  w = a[o + 1] .. ':' .. w
  win[i], ends[i], base[i], later[i] = a[o + 4 + 2 * l], e, w, l
  fields[f + i * 3 - 2], fields[f + i * 3 - 1], fields[f + i * 3] = 's:' .. w, 'h:' .. w, 'm:' .. w
end
local v = call('HMGET', account, unpack(fields))
if a[6] == 1 and not v[1] then return pack('N', now) end

local r, curable, longest = {}, true, 0
local function refuse(kind, which, value)
  local n = #r
  r[n + 1], r[n + 2], r[n + 3] = kind, which, value
end

if v[2] and tonumber(v[2]) > now then
  refuse(1, 0, tonumber(v[2]) - now)
  curable = false
end

local level, at, till, owed, holder, may = {}, {}, {}, {}, {}, {}
for i = 1, nb do
  local o = B + i * 6 - 6
  local rate, period, cap, need, floor = a[o + 2], a[o + 3], a[o + 4], a[o + 5], a[o + 6]
  level[i], at[i], till[i], owed[i], holder[i] = bucket(v[2 + i], rate, cap * period)
  local others = 0
  if till[i] then
    if till[i] > now and holder[i] ~= id then others = owed[i] else till[i] = nil end
  end
  if need + floor > cap then
    refuse(3, i, 0)
    curable = false
  elseif need > 0 then
    local kept = others
    -- What is owed can't make a need that fits the empty bucket impossible.
    if need + floor + kept > cap then kept = cap - need - floor end
    local missing = (need + floor + kept) * period - level[i]
    if missing > 0 then
      local wait = math.ceil(missing / (rate > 0 and rate or 1))
      -- After a step back of the clock, refill resumes only where it was.
      if at[i] > now then wait = wait + at[i] - now end
      refuse(2, i, wait)
      if wait > longest then longest = wait end
      may[i] = others == 0
    end
  end
end

local gauge = {}
for i = 1, ng do
  gauge[i] = tonumber(v[2 + nb + i] or 0)
  if gauge[i] >= a[G + i * 2] then
    refuse(4, i, 0)
    curable = false
  end
end

local need, alerts, out = tonumber(amount), {}, {'', now}
local function over(which, spent, held, bound)
  local s, h = tonumber(spent), tonumber(held)
  if s > LARGEST or h > LARGEST or s + h + need > LARGEST then return true end
  if bound >= 0 and s + h + need > bound then
    refuse(5, which, 0)
    curable = false
  end
end
for i = 1, nm do
  local o, k = M + i * 7 - 7, f + i * 3
  local spent, held, top, mark, bound = v[k - 2] or '0', v[k - 1] or '0', 0, 0, a[o + 2]
  if v[k] then
    local _
    _, top, mark = unpacked(v[k])
  end
  if bound >= 0 then bound = bound + top end
  local before = #r
  if over(i, spent, held, bound) and not force then return pack('X', now, a[o + 1]) end
  if #r > before and a[o + 3] == 1 and mark < 1000 then
    r[#r] = 1
    alerts[#alerts + 1] = {i, top}
  end
  local n = #out
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = later[i], spent, held, top
end
if run_now then
  local spent, held = run_now[2] or '0', run_now[3] or '0'
  if over(0, spent, held, tonumber(run_limit)) and not force then return pack('X', now, 'run') end
  out[#out + 1] = spent
  out[#out + 1] = held
end

if (#r > 0 and not force) or probe then
  if curable and not probe and max_wait >= 0 and longest <= max_wait then
    for i = 1, nb do
      if may[i] then
        local o = B + i * 6 - 6
        local mark = pack(level[i], at[i], now + longest + 500, a[o + 5] + a[o + 6], id)
        call('HSET', account, a[o + 1], mark)
      end
    end
  end
  for _, alert in ipairs(probe and {} or alerts) do
    local i, top = alert[1], alert[2]
    call('HSET', account, 'm:' .. base[i], pack(ends[i], top, 1000))
    call('XADD', KEYS[4], '*', 'e', pack('M', now, a[M + i * 7 - 6], win[i], ends[i], 1000))
  end
  out[1] = 'R'
  for i = 1, #r do out[#out + 1] = r[i] end
  return pack(out)
end

-- Windows that ended two days ago go when a new one begins, unless a hold still refers to them.
local function prune()
  for _, field in ipairs(call('HKEYS', account)) do
    if string.sub(field, 1, 2) == 'm:' then
      local old = string.sub(field, 3)
      local ended = unpacked(call('HGET', account, field))
      if ended + 172800000 < now and tonumber(call('HGET', account, 'h:' .. old) or 0) == 0 then
        call('HDEL', account, field, 's:' .. old, 'h:' .. old)
      end
    end
  end
end

out[1] = 'H'
local sets = {}
for i = 1, nb do
  local o = B + i * 6 - 6
  local period = a[o + 3]
  local left = added(level[i], -a[o + 5] * period, a[o + 4] * period)
  sets[i * 2 - 1] = a[o + 1]
  sets[i * 2] = stored(left, at[i], till[i], owed[i], holder[i])
  out[#out + 1] = left > 0 and math.floor(left / period) or 0
end
local body = {amount, a[9], a[10], a[11], run, run_limit, run_now and KEYS[5] or '', ng, nm}
for i = 1, ng do
  local field = a[G + i * 2 - 1]
  sets[#sets + 1] = field
  sets[#sets + 1] = gauge[i] + 1
  body[9 + i] = field
end
local n, fresh = 9 + ng, false
for i = 1, nm do
  if not v[f + i * 3] then
    fresh = true
    sets[#sets + 1] = 'm:' .. base[i]
    sets[#sets + 1] = pack(ends[i], 0, 0)
  end
  body[n + i * 3 - 2], body[n + i * 3 - 1], body[n + i * 3] = a[M + i * 7 - 6], win[i], ends[i]
end
if fresh then prune() end
if #sets > 0 then call('HSET', account, unpack(sets)) end
if need > 0 then
  for i = 1, nm do call('HINCRBY', account, 'h:' .. base[i], amount) end
  if run_now then call('HINCRBY', KEYS[5], 'h', amount) end
end
if run_now then
  call('HSET', KEYS[5], 'l', run_limit)
  call('PEXPIRE', KEYS[5], 604800000)
end
call('ZADD', KEYS[3], now + a[2], id)
call('SET', record, 'O' .. pack(body))
return pack(out), true
