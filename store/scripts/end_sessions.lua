-- Ends all sessions of a user but one.
--
-- KEYS[1]  the user's sessions
-- KEYS[2]  the op
-- KEYS[3]  the partition's outbox
-- ARGV[1]  id of the session that is kept, '' for none
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  id of the effect that says so, ARGV[4] the effect
-- returns  how many went that had not expired; also when this op did it before
local done = redis.call('GET', KEYS[2])
if done then
  return tonumber(done)
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local n = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if all[i] ~= ARGV[1] then
    if tonumber(string.match(all[i + 1], '^%S+ %d+ (%d+)')) > now then
      n = n + 1
    end
    redis.call('HDEL', KEYS[1], all[i])
  end
end
redis.call('HSET', KEYS[3], ARGV[3], string.format('%.0f', now) .. ' ' .. ARGV[4])
redis.call('SET', KEYS[2], n, 'PX', ARGV[2])
return n
