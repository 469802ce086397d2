-- The number of a drain: later ones are larger, also where the last number was lost.
-- KEYS 1 term
local term = math.max(tonumber(call('GET', KEYS[1]) or 0) + 1, now)
call('SET', KEYS[1], text(term))
return pack('K', now, term)
