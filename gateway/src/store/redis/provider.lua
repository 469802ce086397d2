-- What a provider says of itself: leave it alone for a while, or so much is left of a bucket.
-- KEYS 1 account
-- ARGV 1 {wait or -1, remaining, buckets, per bucket: field, rate, period, capacity}
local a = unpacked(ARGV[1])
if a[1] >= 0 then
  local old = tonumber(call('HGET', KEYS[1], 'cd') or 0)
  if now + a[1] > old then call('HSET', KEYS[1], 'cd', text(now + a[1])) end
end
for i = 1, a[3] do
  local o = 3 + i * 4 - 4
  local field, rate, period, cap = a[o + 1], a[o + 2], a[o + 3], a[o + 4]
  local raw = call('HGET', KEYS[1], field)
  local level, at, till, owed, holder = bucket(raw, rate, cap * period)
  local known = a[2] * period
  if known < level then level = known end
  call('HSET', KEYS[1], field, stored(level, at, till, owed, holder))
end
return pack('P', now)
