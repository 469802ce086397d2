-- Prolongs the leases of open holds, never shortens one. Says which are not open.
-- KEYS 1 leases
-- ARGV 1 {lease, ids...}
local a = unpacked(ARGV[1])
local ids = {}
for i = 2, #a do ids[i - 1] = a[i] end
local scores = call('ZMSCORE', KEYS[1], unpack(ids))
local until_ms, adds, out = now + a[1], {}, {'G', now}
for i = 1, #ids do
  if scores[i] then
    adds[#adds + 1] = until_ms
    adds[#adds + 1] = ids[i]
  else
    out[#out + 1] = i - 1
  end
end
if #adds > 0 then call('ZADD', KEYS[1], 'XX', 'GT', unpack(adds)) end
return pack(out)
