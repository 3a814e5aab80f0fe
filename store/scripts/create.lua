-- Commits a new user.
--
-- KEYS[1]  the user
-- KEYS[2]  his fences
-- KEYS[3]  the op
-- KEYS[4]  the partition's names of the scope
-- KEYS[5]  the partition's creation times of the scope
-- KEYS[6]  the partition's outbox
-- KEYS[7]  the partition's users who have yet to confirm
-- ARGV[1]  the user's id
-- ARGV[2]  username key
-- ARGV[3]  ms that the op is kept
-- ARGV[4]  id of the effect that tells user.created, ARGV[5] members of the event
-- ARGV[6]  number n of reservations relied on
-- ARGV[7…] n times: Redis key of the entry, stamp; then field, value, …, among
--          them 'ca' if the user was created elsewhere before
-- returns  {1, created_at, {effect id, effect, …}} done, also when this op did it before
--          {0, i, stamp} reservation i is fenced off up to that stamp
--          {2, fields} the user exists
--          {3} a user of this id was deleted
local done = redis.call('GET', KEYS[3])
if done then
  return {1, tonumber(done), left_before(KEYS[1], KEYS[6], ARGV[4])}
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {2, redis.call('HGETALL', KEYS[1])}
end
if redis.call('HEXISTS', KEYS[2], 'gone') == 1 then
  return {3}
end
local n = tonumber(ARGV[6])
for i = 1, n do
  local fence = redis.call('HGET', KEYS[2], ARGV[5 + 2 * i])
  if fence and tonumber(fence) >= tonumber(ARGV[6 + 2 * i]) then
    return {0, i, tonumber(fence)}
  end
end
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('HSET', KEYS[1], 'ca', now, 'ua', now)
local rec = {}
for i = 7 + 2 * n, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  rec[ARGV[i]] = ARGV[i + 1]
end
if rec.cf then
  redis.call('ZADD', KEYS[7], 0, rec.sc .. '\0' .. ARGV[1])
end
redis.call('ZADD', KEYS[4], 0, ARGV[2] .. '\0' .. ARGV[1])
local created = rec.ca or now
redis.call('ZADD', KEYS[5], 0, string.rep('0', 13 - #created) .. created .. ARGV[1])
redis.call('SET', KEYS[3], now, 'PX', ARGV[3])
return {1, tonumber(now), leave(KEYS[1], KEYS[6], rec, ARGV[4], event_of('user.created', ARGV[1], rec, ARGV[5]))}
