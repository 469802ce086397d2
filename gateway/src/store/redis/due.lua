-- The holds whose leases ran out, oldest first.
-- KEYS 1 leases
-- ARGV 1 {most}
local most = unpacked(ARGV[1])[1]
local out = call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most)
table.insert(out, 1, now)
table.insert(out, 1, 'Q')
return pack(out)
