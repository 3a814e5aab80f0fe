-- Changes a scope's webhook, where it is still the one that was seen, and other
-- fields of the scope with it. Doing it twice changes nothing more.
--
-- KEYS[1]  the scope
-- KEYS[2]  outbox
-- ARGV[1]  id of the effect that tells, ARGV[2] the effect
-- ARGV[3]  the webhook that was seen, '' for none
-- ARGV[4]  the webhook from now on, '' for none
-- ARGV[5…] field, value, …; an empty value removes the field
-- returns  {1, fields}; {0} there is no such scope; {2} another webhook is there
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local present = redis.call('HGET', KEYS[1], 'w') or ''
if present ~= ARGV[4] then
  if present ~= ARGV[3] then
    return {2}
  end
  if ARGV[4] == '' then
    redis.call('HDEL', KEYS[1], 'w')
  else
    redis.call('HSET', KEYS[1], 'w', ARGV[4])
    if present == '' then -- later than any before, also within a millisecond
      local former = redis.call('HGET', KEYS[1], 'wi') or redis.call('HGET', KEYS[1], 'ca')
      redis.call('HSET', KEYS[1], 'wi', string.format('%.0f', math.max(now, former + 1)))
    end
  end
end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f', now) .. ' ' .. ARGV[2])
return {1, redis.call('HGETALL', KEYS[1])}
