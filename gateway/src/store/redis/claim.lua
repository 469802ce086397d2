-- Claims a team's outbox for a drain, unless a later drain has claimed it.
-- KEYS 1 drain
-- ARGV 1 {term}
local term = unpacked(ARGV[1])[1]
if tonumber(call('GET', KEYS[1]) or 0) > term then return pack('K', now, 0) end
call('SET', KEYS[1], text(term))
return pack('K', now, 1)
