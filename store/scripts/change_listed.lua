-- Changes fields of a scope. Doing it twice changes nothing more.
--
-- KEYS[1]  the hash
-- KEYS[2]  outbox; absent when nobody is told
-- ARGV[1]  id of the effect that tells, ARGV[2] the effect
-- ARGV[3…] field, value, …; an empty value removes the field
-- returns  {1, fields}, or {0} if there is no such hash
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0}
end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
if KEYS[2] then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[2])
end
return {1, redis.call('HGETALL', KEYS[1])}
