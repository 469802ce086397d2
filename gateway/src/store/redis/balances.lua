-- The balances of budgets in their current windows, and of a run.
-- KEYS 1 account  2 run (only if asked for)
-- ARGV 1 {from, budgets, per budget: name, window, its end, next window, its end}
local a = unpacked(ARGV[1])
local fields, later = {'ep'}, {}
if a[2] > 0 and now < a[1] then return pack('C', now) end
for i = 1, a[2] do
  local o = 2 + i * 5 - 5
  local w = a[o + 2]
  later[i] = 0
  if now >= a[o + 3] then
    w, later[i] = a[o + 4], 1
    if now >= a[o + 5] then return pack('C', now) end
  end
  w = a[o + 1] .. ':' .. w
  fields[i * 3 - 1], fields[i * 3], fields[i * 3 + 1] = 's:' .. w, 'h:' .. w, 'm:' .. w
end
local v = call('HMGET', KEYS[1], unpack(fields))
if not v[1] then return pack('N', now) end
local out = {'B', now}
for i = 1, a[2] do
  local top, _ = 0, nil
  if v[i * 3 + 1] then _, top = unpacked(v[i * 3 + 1]) end
  local n = #out
  out[n + 1], out[n + 2], out[n + 3] = later[i], v[i * 3 - 1] or '0', v[i * 3] or '0'
  out[n + 4] = top
end
if KEYS[2] then
  local run = call('HMGET', KEYS[2], 'l', 's', 'h')
  out[#out + 1] = run[1] or ''
  out[#out + 1] = run[2] or '0'
  out[#out + 1] = run[3] or '0'
end
return pack(out)
