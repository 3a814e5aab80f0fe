-- Counts the tries of something that is guessed, and has those wait who were
-- wrong too often. A try counts as wrong from its beginning, so that many at
-- once are not more than many one by one; it is taken back when it was right.
--
-- The guard is a hash: t:<op> → when a try was, ms; and once it has locked
-- n how often, u until when (ms), o by which op, b what n and u were before.
--
-- KEYS[1]  the guard
-- ARGV[1]  'try', 'undo' (the try is taken back) or 'clear' (all is forgotten)
-- ARGV[2]  the op of the try
-- ARGV[3]  wrong tries within the window by which the guard locks
-- ARGV[4]  ms of the window; a lock that ended so long ago is forgotten
-- ARGV[5]  ms of the first lock; each one that follows is twice as long
-- ARGV[6]  ms of the longest
-- returns  {ms to wait, ms for which this try, if it is wrong, has locked}
--          the first is 0 if the try was counted, also when this op was before
local mine = 't:' .. ARGV[2]
if ARGV[1] == 'clear' then
  redis.call('DEL', KEYS[1])
  return {0, 0}
end
if ARGV[1] == 'undo' then
  if redis.call('HDEL', KEYS[1], mine) == 1 and redis.call('HGET', KEYS[1], 'o') == ARGV[2] then
    local n, u = string.match(redis.call('HGET', KEYS[1], 'b'), '^(%d+) (%d+)$')
    redis.call('HDEL', KEYS[1], 'n', 'u', 'o', 'b')
    if n ~= '0' then
      redis.call('HSET', KEYS[1], 'n', n, 'u', u)
    end
  end
  return {0, 0}
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local limit, window = tonumber(ARGV[3]), tonumber(ARGV[4])
local n = tonumber(redis.call('HGET', KEYS[1], 'n') or '0')
local u = tonumber(redis.call('HGET', KEYS[1], 'u') or '0')
if redis.call('HEXISTS', KEYS[1], mine) == 1 then
  if redis.call('HGET', KEYS[1], 'o') == ARGV[2] then
    return {0, math.max(1, u - now)}
  end
  return {0, 0}
end
if u > now then
  return {u - now, 0}
end
if n > 0 and now - u > window then
  redis.call('DEL', KEYS[1])
  n, u = 0, 0
end
local tries = 1
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 't:' then
    if n > 0 or now - tonumber(all[i + 1]) > window then
      redis.call('HDEL', KEYS[1], all[i])
    else
      tries = tries + 1
    end
  end
end
redis.call('HSET', KEYS[1], mine, string.format('%.0f', now))
local lock = 0
if n > 0 or tries >= limit then
  lock = math.min(tonumber(ARGV[6]), tonumber(ARGV[5]) * 2 ^ math.min(n, 40))
  redis.call('HSET', KEYS[1], 'b', string.format('%.0f %.0f', n, u),
    'n', n + 1, 'u', string.format('%.0f', now + lock), 'o', ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', lock + window))
return {0, lock}
