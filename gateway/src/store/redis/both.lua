-- With one argument: one hold. With two: a team's and, if it is granted, that of the deployment
-- which its call would go to, whose keys are the last four. Whatever becomes of the second, the
-- first stands.
if #ARGV == 1 then return (hold(KEYS, ARGV)) end
local split = #KEYS - 4
local team, granted = hold({unpack(KEYS, 1, split)}, {ARGV[1]})
local deployment = ''
if granted then
  local fine, reply = pcall(hold, {unpack(KEYS, split + 1)}, {ARGV[2]})
  if fine then deployment = reply end
end
return pack(team, deployment)
