-- Creates an admin, if who asks for it is still one.
--
-- KEYS[1]  the admin
-- KEYS[2]  set of all admins' names
-- KEYS[3]  the op
-- KEYS[4]  the admin who asks; the server itself when absent
-- ARGV[1]  name
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  generation of the admin who asks
-- ARGV[4…] field, value, …
-- returns  {1, fields} done, also when this op did it before
--          {0} the name is taken
--          {2} who asks is not an admin of that generation any more
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {1, redis.call('HGETALL', KEYS[1])}
end
if KEYS[4] and redis.call('HGET', KEYS[4], 'g') ~= ARGV[3] then
  return {2}
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0}
end
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'ca', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
for i = 4, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
return {1, redis.call('HGETALL', KEYS[1])}
