-- Keeps an admin's token.
--
-- KEYS[1]  the token
-- ARGV[1]  generation of the admin
-- ARGV[2]  his name
-- ARGV[3]  ms that it is good
-- returns  {when it expires, ms}
local t = redis.call('TIME')
local expires = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. string.format('%.0f', expires) .. ' ' .. ARGV[2], 'PX', ARGV[3])
return {expires}
