-- Raises the bound of a budget's current window, once for a request.
-- KEYS 1 account  2 request  3 outbox
-- ARGV 1 {request, amount, budget, bound, kept for ms after the window, from,
--         window, its end, next window, its end}
local a = unpacked(ARGV[1])
local amount, name = a[2], a[3]
if call('HEXISTS', KEYS[1], 'ep') == 0 then return pack('N', now) end
local seen = call('GET', KEYS[2])
if seen then
  local made = unpacked(seen)
  local same = made[1] == amount and made[2] == name
  return pack('T', now, same and 1 or 2, made[1])
end
if now < a[6] then return pack('C', now) end
local w, e = a[7], a[8]
if now >= e then
  w, e = a[9], a[10]
  if now >= e then return pack('C', now) end
end
local field, top = 'm:' .. name .. ':' .. w, 0
local raw = call('HGET', KEYS[1], field)
if raw then
  local _
  _, top = unpacked(raw)
end
top = top + tonumber(amount)
if a[4] + top > LARGEST then return pack('T', now, 0, amount) end
-- A higher bound can be approached again, and is worth a new warning.
call('HSET', KEYS[1], field, pack(e, top, 0))
call('SET', KEYS[2], pack({amount, name}), 'PX', text(e - now + a[5]))
call('XADD', KEYS[3], '*', 'e', pack('T', now, a[1], amount, name, w, e))
return pack('T', now, 1, amount)
