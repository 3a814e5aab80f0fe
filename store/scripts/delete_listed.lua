-- Deletes a scope.
--
-- KEYS[1]  the hash
-- KEYS[2]  set of all names
-- KEYS[3]  the op
-- KEYS[4]  outbox; absent when nobody is told
-- ARGV[1]  name
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  id of the effect that tells, ARGV[4] the effect
-- returns  1 if it was there, else 0; also when this op did it before
local done = redis.call('GET', KEYS[3])
if done then
  return tonumber(done)
end
local n = redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
if n == 1 and KEYS[4] then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[4], ARGV[3], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[4])
end
redis.call('SET', KEYS[3], n, 'PX', ARGV[2])
return n
