-- Gives an admin another password, and with it another generation.
--
-- KEYS[1]  the admin
-- KEYS[2]  the op
-- KEYS[3]  the admins' outbox
-- KEYS[4]  the admin who asks; the server itself when absent
-- ARGV[1]  ms that the op is kept
-- ARGV[2]  generation that the admin must have
-- ARGV[3]  generation of the admin who asks
-- ARGV[4]  id of the effect that tells, ARGV[5] the effect
-- ARGV[6]  password record, ARGV[7] the new generation
-- returns  1 done, also when this op did it before
--          0 no such admin
--          2 who asks is not an admin of that generation any more
--          3 the admin has another generation
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 1
end
if KEYS[4] and redis.call('HGET', KEYS[4], 'g') ~= ARGV[3] then
  return 2
end
local generation = redis.call('HGET', KEYS[1], 'g')
if not generation then
  return 0
end
if generation ~= ARGV[2] then
  return 3
end
redis.call('HSET', KEYS[1], 'p', ARGV[6], 'g', ARGV[7])
local t = redis.call('TIME')
redis.call('HSET', KEYS[3], ARGV[4], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[5])
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
return 1
