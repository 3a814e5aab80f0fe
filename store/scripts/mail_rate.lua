-- Counts a mail unless the address has got enough of them lately. A mail's name
-- is the op, so a second run finds it there.
--
-- KEYS[1]  the address: a zset of mails by time
-- ARGV[1]  the op
-- ARGV[2]  mails that are allowed within the window
-- ARGV[3]  ms of the window
-- returns  0 if the mail was counted, else ms until the next one may be
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local window, limit = tonumber(ARGV[3]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local n = redis.call('ZCARD', KEYS[1])
if n >= limit then
  -- When this one leaves the window, limit - 1 remain.
  local last = redis.call('ZRANGE', KEYS[1], n - limit, n - limit, 'WITHSCORES')
  return math.max(1, tonumber(last[2]) + window - now)
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 0
