-- Ends an admin's session.
--
-- KEYS[1]  the session
-- KEYS[2]  the admins' outbox
-- ARGV[1]  id of the effect that tells, ARGV[2] the effect
-- returns  1
redis.call('DEL', KEYS[1])
local t = redis.call('TIME')
redis.call('HSETNX', KEYS[2], ARGV[1], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[2])
return 1
