-- Removes entries that are safe on disk, unless a later drain has claimed the outbox: an earlier
-- one that was asleep may have kept them on a disk that nobody reads any more.
-- KEYS 1 drain  2 outbox
-- ARGV 1 {term, entries...}
local a = unpacked(ARGV[1])
if tonumber(call('GET', KEYS[1]) or 0) ~= a[1] then return pack('K', now, 0) end
if #a > 1 then call('XDEL', KEYS[2], unpack(a, 2)) end
return pack('K', now, 1)
