-- Puts back what the ledger remembers of a team whose account is gone. Nothing is overwritten, and
-- the epoch is set last: until then every hold and ending is turned away.
-- KEYS 1 account  2 leases
-- ARGV 1 {last part, counters, runs, rows, tombstones,
--         per counter: name:window, end, spent, top-up, mark;
--         per run: key, limit, spent, kept for ms;
--         per row: key, field, kept for ms, calls, input, read, written, output, reasoning, cost;
--         per tombstone: key, value, kept for ms}
local account = KEYS[1]
if call('HEXISTS', account, 'ep') == 1 then return pack('S', now, 0) end
local a = unpacked(ARGV[1])
local p = 5
for _ = 1, a[2] do
  call('HSETNX', account, 's:' .. a[p + 1], a[p + 3])
  call('HSETNX', account, 'm:' .. a[p + 1], pack(a[p + 2], a[p + 4], a[p + 5]))
  p = p + 5
end
for _ = 1, a[3] do
  call('HSETNX', a[p + 1], 'l', a[p + 2])
  call('HSETNX', a[p + 1], 's', a[p + 3])
  call('PEXPIRE', a[p + 1], a[p + 4])
  p = p + 4
end
for _ = 1, a[4] do
  call('HSETNX', a[p + 1], '', '')
  call('HSETNX', a[p + 1], a[p + 2], pack({unpack(a, p + 4, p + 10)}))
  call('PEXPIRE', a[p + 1], a[p + 3])
  p = p + 10
end
for _ = 1, a[5] do
  call('SET', a[p + 1], a[p + 2], 'PX', a[p + 3], 'NX')
  p = p + 3
end
if a[1] == 0 then return pack('S', now, 0) end

-- Open holds may have outlived the account: what they took is counted again from them.
local taken, runs = {}, {}
for _, field in ipairs(call('HKEYS', account)) do
  local kind = string.sub(field, 1, 2)
  if kind == 'h:' or kind == 'g:' then taken[field] = 0 end
end
local prefix = ARGV[2]
for _, id in ipairs(call('ZRANGE', KEYS[2], 0, -1)) do
  local record = call('GET', prefix .. id)
  if record and string.sub(record, 1, 1) == 'O' then
    local h = unpacked(string.sub(record, 2))
    local amount, c = tonumber(h[1]), 9 + h[8]
    for i = 10, c do taken[h[i]] = (taken[h[i]] or 0) + 1 end
    for i = 1, h[9] do
      local field = 'h:' .. h[c + i * 3 - 2] .. ':' .. h[c + i * 3 - 1]
      taken[field] = (taken[field] or 0) + amount
    end
    if h[7] ~= '' then runs[h[7]] = (runs[h[7]] or 0) + amount end
  else
    call('ZREM', KEYS[2], id)
  end
end
for field, sum in pairs(taken) do call('HSET', account, field, text(sum)) end
for key, sum in pairs(runs) do call('HSET', key, 'h', text(sum)) end
call('HSET', account, 'ep', text(now))
return pack('S', now, 1)
