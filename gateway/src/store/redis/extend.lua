-- Adds money to an open hold, in all its budgets or in none.
-- KEYS 1 account  2 record
-- ARGV 1 {extra, team, budgets, per budget: name, bound or -1}
local account, record = KEYS[1], KEYS[2]
local seen = call('GET', record)
if not seen or string.sub(seen, 1, 1) ~= 'O' then return pack('E', now, 0) end
local a = unpacked(ARGV[1])
local extra = a[1]
local h = unpacked(string.sub(seen, 2))
local run_key, c, hm = h[7], 9 + h[8], h[9]
local bounds = {}
for i = 1, a[3] do bounds[a[2 + i * 2]] = a[3 + i * 2] end

local fields, base = {'ep'}, {}
for i = 1, hm do
  local w = h[c + i * 3 - 2] .. ':' .. h[c + i * 3 - 1]
  base[i] = w
  fields[i * 3 - 1], fields[i * 3], fields[i * 3 + 1] = 's:' .. w, 'h:' .. w, 'm:' .. w
end
local v = call('HMGET', account, unpack(fields))
if a[2] == 1 and not v[1] then return pack('N', now) end

local function fits(spent, held, bound)
  local sum = tonumber(spent or 0) + tonumber(held or 0) + tonumber(extra)
  return sum <= LARGEST and (bound < 0 or sum <= bound)
end
for i = 1, hm do
  local bound = bounds[h[c + i * 3 - 2]] or -1
  if bound >= 0 and v[i * 3 + 1] then
    local _, top = unpacked(v[i * 3 + 1])
    bound = bound + top
  end
  if not fits(v[i * 3 - 1], v[i * 3], bound) then return pack('E', now, 0) end
end
if run_key ~= '' then
  local run = call('HMGET', run_key, 'l', 's', 'h')
  if run[1] and not fits(run[2], run[3], tonumber(run[1])) then return pack('E', now, 0) end
end

if extra ~= '0' then
  for i = 1, hm do call('HINCRBY', account, 'h:' .. base[i], extra) end
  if run_key ~= '' then call('HINCRBY', run_key, 'h', extra) end
end
h[1] = text(tonumber(h[1]) + tonumber(extra))
call('SET', record, 'O' .. pack(h))
return pack('E', now, 1)
