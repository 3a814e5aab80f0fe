-- Creates a scope, and lists the name.
--
-- KEYS[1]  the hash
-- KEYS[2]  set of all names
-- KEYS[3]  the op
-- KEYS[4]  outbox; absent when nobody is told
-- ARGV[1]  name
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  id of the effect that tells, ARGV[4] the effect
-- ARGV[5…] field, value, …
-- returns  {1, fields} done, also when this op did it before; {0} the name is taken
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {1, redis.call('HGETALL', KEYS[1])}
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0}
end
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('HSET', KEYS[1], 'ca', now)
for i = 5, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('SADD', KEYS[2], ARGV[1])
if KEYS[4] then
  redis.call('HSET', KEYS[4], ARGV[3], now .. ' ' .. ARGV[4])
end
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
return {1, redis.call('HGETALL', KEYS[1])}
