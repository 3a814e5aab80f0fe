-- Notes how the mail to a user who is to confirm his email fares.
--
-- KEYS[1]  the user
-- KEYS[2]  the op
-- ARGV[1]  the state
-- ARGV[2]  ms that the op is kept
-- returns  1 done, also when this op did it before, or no confirmation is open
--          0 no such user
if redis.call('EXISTS', KEYS[2]) == 1 then
  return 1
end
local rec = redis.call('HMGET', KEYS[1], 'sc', 'cf')
if not rec[1] then
  return 0
end
if rec[2] then
  redis.call('HSET', KEYS[1], 'cf', ARGV[1])
end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
return 1
