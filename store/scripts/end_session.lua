-- Ends one session.
--
-- KEYS[1]  the user's sessions
-- KEYS[2]  the op
-- KEYS[3]  the partition's outbox
-- ARGV[1]  session id
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  id of the effect that says so, ARGV[4] the effect
-- returns  1 if it was there and had not expired, else 0; also when this op did it before
local done = redis.call('GET', KEYS[2])
if done then
  return tonumber(done)
end
local n = 0
local mine = redis.call('HGET', KEYS[1], ARGV[1])
if mine then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  if tonumber(string.match(mine, '^%S+ %d+ (%d+)')) > now then
    n = 1
    redis.call('HSET', KEYS[3], ARGV[3], string.format('%.0f', now) .. ' ' .. ARGV[4])
  end
  redis.call('HDEL', KEYS[1], ARGV[1])
end
redis.call('SET', KEYS[2], n, 'PX', ARGV[2])
return n
