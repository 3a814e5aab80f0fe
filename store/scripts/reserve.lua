-- Reserves an index entry for a user: if it is free, if he has it already (he
-- gets a higher stamp), or if it is the one that may be taken over.
--
-- KEYS[1]  the entry
-- ARGV[1]  the user's id
-- ARGV[2]  the least stamp
-- ARGV[3]  the whole value that may be taken over, '' for none
-- returns  {1, stamp}, or {0, value of the entry, its age in ms} when another has it
local cur = redis.call('GET', KEYS[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local stamp = math.max(now, tonumber(ARGV[2]))
if cur and cur ~= ARGV[3] then
  local holder, last = string.match(cur, '^(%S+) (%d+)$')
  if holder ~= ARGV[1] then
    return {0, cur, now - tonumber(last or now)}
  end
  stamp = math.max(stamp, tonumber(last) + 1)
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%.0f', stamp))
return {1, stamp}
