-- Commits a new user.
--
-- KEYS[1]  the user
-- KEYS[2]  his fences
-- KEYS[3]  the op
-- KEYS[4]  the partition's names of the scope
-- KEYS[5]  the partition's creation times of the scope
-- ARGV[1]  the user's id
-- ARGV[2]  username key
-- ARGV[3]  ms that the op is kept
-- ARGV[4]  number n of reservations relied on
-- ARGV[5…] n times: Redis key of the entry, stamp; then field, value, …, among
--          them 'ca' if the user was created elsewhere before
-- returns  {1, created_at} done, also when this op did it before
--          {0, i, stamp} reservation i is fenced off up to that stamp
--          {2, fields} the user exists
--          {3} a user of this id was deleted
local done = redis.call('GET', KEYS[3])
if done then
  return {1, tonumber(done)}
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {2, redis.call('HGETALL', KEYS[1])}
end
if redis.call('HEXISTS', KEYS[2], 'gone') == 1 then
  return {3}
end
local n = tonumber(ARGV[4])
for i = 1, n do
  local fence = redis.call('HGET', KEYS[2], ARGV[3 + 2 * i])
  if fence and tonumber(fence) >= tonumber(ARGV[4 + 2 * i]) then
    return {0, i, tonumber(fence)}
  end
end
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
local created = now
redis.call('HSET', KEYS[1], 'ca', now, 'ua', now)
for i = 5 + 2 * n, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  if ARGV[i] == 'ca' then
    created = ARGV[i + 1]
  end
end
redis.call('ZADD', KEYS[4], 0, ARGV[2] .. '\0' .. ARGV[1])
redis.call('ZADD', KEYS[5], 0, string.rep('0', 13 - #created) .. created .. ARGV[1])
redis.call('SET', KEYS[3], now, 'PX', ARGV[3])
return {1, tonumber(now)}
