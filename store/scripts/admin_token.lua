-- Keeps an admin's session.
--
-- KEYS[1]  the session
-- ARGV[1]  generation of the admin
-- ARGV[2]  his name
-- ARGV[3]  ms that it is good
-- ARGV[4]  "new", or "old" for one that must be there
-- returns  {when it expires, ms}, 0 where it is not there
if ARGV[4] == 'old' and redis.call('EXISTS', KEYS[1]) == 0 then
  return {0}
end
local t = redis.call('TIME')
local expires = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%.0f', expires) .. ' ' .. ARGV[2], 'PX', ARGV[3])
return {expires}
