-- Keeps a lease that is still ours.
-- KEYS 1 lease
-- ARGV 1 {owner, for ms}
local a = unpacked(ARGV[1])
if call('GET', KEYS[1]) ~= a[1] then return pack('K', now, 0) end
call('PEXPIRE', KEYS[1], a[2])
return pack('K', now, 1)
