-- Ends a hold, once: settled (S), cancelled (C) or expired (X); a settlement after an expiry
-- corrects it. The ledger's entry and the sums of usage are written in the same step.
-- KEYS 1 account  2 record  3 leases  4 outbox  5 usage (a prefix: the day is appended)
-- ARGV 1 {id, verb, requests, input, output, cost, ended ms, expired ms, team, buckets, budgets,
--         rows, field of nobody's row, most rows, days kept in ms,
--         per bucket: field, rate, period, capacity, unit;
--         per budget: name, limit or -1, marks, marks in thousandths...;
--         per row: field, field of the rest, calls, input, read, written, output, reasoning, cost}
-- ARGV 2 the call, for the ledger
-- Keys that are derived from the record share its hash tag.
local account, record, leases = KEYS[1], KEYS[2], KEYS[3]
local a = unpacked(ARGV[1])
local id, verb, cost = a[1], a[2], a[6]
local seen = call('GET', record)
if not seen then
  if verb == 'C' then
    -- A hold that arrives after its cancellation must stay out.
    call('SET', record, 'C', 'PX', a[7])
  elseif verb == 'X' then
    call('ZREM', leases, id)
  end
  return pack('U', now)
end
local state = string.sub(seen, 1, 1)
local late = state == 'X' and verb == 'S'
if state ~= 'O' and not late then return pack('D', now, state) end
if verb == 'X' then
  local lease = call('ZSCORE', leases, id)
  if lease and tonumber(lease) > now then return pack('A', now) end
end

local body = string.sub(seen, 2)
local h = unpacked(body)
local amount, run_key, hg, hm = h[1], h[7], h[8], h[9]
local nb, nm, nr = a[10], a[11], a[12]
local B = 15
local fields = {'ep'}
for i = 1, nb do fields[1 + i] = a[B + i * 5 - 4] end
for i = 1, hg do fields[1 + nb + i] = h[9 + i] end
local f, c = 1 + nb + hg, 9 + hg
local base = {}
for i = 1, hm do
  local w = h[c + i * 3 - 2] .. ':' .. h[c + i * 3 - 1]
  base[i] = w
  fields[f + i * 2 - 1], fields[f + i * 2] = 's:' .. w, 'm:' .. w
end
local v = call('HMGET', account, unpack(fields))
local team = a[9] == 1
if team and not v[1] then return pack('N', now) end

-- What was held and what was used of a unit: 1 requests, 2 tokens, 3 input, 4 output.
local function of(unit, requests, input, output)
  if unit == 1 then return requests end
  if unit == 2 then return input + output end
  if unit == 3 then return input end
  return output
end

local charged = verb == 'S' and cost or verb == 'X' and amount or '0'
local delta = late and text(tonumber(cost) - tonumber(amount)) or charged

local sets = {}
if verb ~= 'X' then
  for i = 1, nb do
    local o = B + i * 5 - 5
    local rate, period, unit = a[o + 2], a[o + 3], a[o + 5]
    local full = a[o + 4] * period
    local level, at, till, owed, holder = bucket(v[1 + i], rate, full)
    local held, used = of(unit, h[2], h[3], h[4]), 0
    if verb == 'S' then
      -- A call that was dispatched counts as one, whatever it used.
      used = unit == 1 and held or of(unit, a[3], a[4], a[5])
    end
    sets[i * 2 - 1] = a[o + 1]
    sets[i * 2] = stored(added(level, (held - used) * period, full), at, till, owed, holder)
  end
end
if not late then
  for i = 1, hg do
    local count = tonumber(v[1 + nb + i] or 0)
    sets[#sets + 1] = h[9 + i]
    sets[#sets + 1] = count > 0 and count - 1 or 0
  end
end

-- Marks that this charge passes, of budgets that are still configured.
local crossed, spec = {}, {}
local p = B + nb * 5
for _ = 1, nm do
  spec[a[p + 1]] = p
  p = p + 3 + a[p + 3]
end
for i = 1, hm do
  local o = spec[h[c + i * 3 - 2]]
  if o and a[o + 2] >= 0 and a[o + 3] > 0 then
    local ends, top, mark = h[c + i * 3], 0, 0
    if v[f + i * 2] then ends, top, mark = unpacked(v[f + i * 2]) end
    local spent, limit, highest = tonumber(v[f + i * 2 - 1] or 0) + tonumber(delta), a[o + 2] + top, mark
    -- Split, so that limit times thousandths stays exact.
    local thousand = math.floor(limit / 1000)
    local rest = limit - thousand * 1000
    for j = o + 4, o + 3 + a[o + 3] do
      local mille = a[j]
      if mille > mark and spent >= thousand * mille + math.ceil(rest * mille / 1000) then
        crossed[#crossed + 1] = {i, mille, top}
        if mille > highest then highest = mille end
      end
    end
    if highest > mark then
      sets[#sets + 1] = 'm:' .. base[i]
      sets[#sets + 1] = pack(ends, top, highest)
    end
  end
end

-- From here on only writes that can't fail.
if #sets > 0 then call('HSET', account, unpack(sets)) end
local function charge(key, spent, held)
  if not late and amount ~= '0' then call('HINCRBY', key, held, '-' .. amount) end
  if delta ~= '0' then call('HINCRBY', key, spent, delta) end
end
for i = 1, hm do charge(account, 's:' .. base[i], 'h:' .. base[i]) end
if run_key ~= '' then charge(run_key, 's', 'h') end
if late then
  call('SET', record, 'S', 'KEEPTTL')
else
  call('ZREM', leases, id)
  if verb == 'X' then
    call('SET', record, 'X' .. body, 'PX', a[8])
  else
    call('SET', record, verb, 'PX', a[7])
  end
end

local out = {'E', now, late and 1 or 0, charged, body, #crossed}
if team then
  local kind = late and 'R' or verb
  call('XADD', KEYS[4], '*', 'e', pack(kind, now, id, delta, body, ARGV[2]))
end
for _, one in ipairs(crossed) do
  local i = one[1]
  local name, window, ends = h[c + i * 3 - 2], h[c + i * 3 - 1], h[c + i * 3]
  call('XADD', KEYS[4], '*', 'e', pack('M', now, name, window, ends, one[2]))
  local money = call('HMGET', account, 's:' .. base[i], 'h:' .. base[i])
  local n = #out
  out[n + 1], out[n + 2], out[n + 3] = i, one[2], money[1] or '0'
  out[n + 4], out[n + 5] = money[2] or '0', one[3]
end

if team then
  local day = KEYS[5] .. math.floor(now / 86400000)
  local function add(field, rest, calls, input, read, written, output, reasoning, cost)
    local old = call('HGET', day, field)
    if not old then
      local rows = call('HLEN', day)
      if rows == 0 then
        call('HSET', day, '', '')
        call('PEXPIRE', day, a[15])
      elseif rows > a[14] then
        field = rest
        old = call('HGET', day, field)
      end
    end
    if old then
      local s = unpacked(old)
      calls, input, read, written = calls + s[1], input + s[2], read + s[3], written + s[4]
      output, reasoning, cost = output + s[5], reasoning + s[6], cost + s[7]
    end
    call('HSET', day, field, pack({calls, input, read, written, output, reasoning, cost}))
  end
  if verb == 'X' then add(a[13], a[13], 0, 0, 0, 0, 0, 0, tonumber(amount)) end
  if late then add(a[13], a[13], 0, 0, 0, 0, 0, 0, -tonumber(amount)) end
  for i = 1, nr do add(unpack(a, p + i * 9 - 8, p + i * 9)) end
end
return pack(out)
