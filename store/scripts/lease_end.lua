-- Ends a lease: soon, when its node stops, or now, for those who reap it.
--
-- KEYS[1]  the leases
-- ARGV[1]  lease
-- ARGV[2]  'soon' it is good for ARGV[3] ms more, and marked as one whose node stopped
--          'reap' it can't be renewed any more; if it has ended, or ARGV[3] is '1'
--          'gone' it is forgotten; if it is being reaped
-- returns  1 done, 0 not; 2 it is being reaped, and its node had stopped
local mine = redis.call('HGET', KEYS[1], ARGV[1])
if not mine then
  return 0
end
local ends, info = string.match(mine, '^(%d+)(.*)$')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[2] == 'soon' then
  if ends == '0' then
    return 0
  end
  if string.sub(info, 1, 2) ~= ' ~' then
    info = ' ~' .. string.sub(info, 2)
  end
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[3])) .. info)
  return 1
end
if ARGV[2] == 'gone' then
  if ends ~= '0' then
    return 0
  end
  return redis.call('HDEL', KEYS[1], ARGV[1])
end
if tonumber(ends) > now and ARGV[3] ~= '1' then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], '0' .. info)
if string.sub(info, 1, 2) == ' ~' then
  return 2
end
return 1
