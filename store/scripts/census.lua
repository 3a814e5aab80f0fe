-- Notes how many users of a scope are online, as they were counted.
--
-- KEYS[1]  the feed's meta hash
-- KEYS[2]  counts of the minutes, KEYS[3] of the hours, KEYS[4] of the days
-- ARGV[1]  users online
-- ARGV[2…4] field of the minute, the hour and the day
-- ARGV[5…7] ms that they are kept
-- returns  1
redis.call('HSET', KEYS[1], 'n', ARGV[1])
local online = tonumber(ARGV[1])
for i = 2, 4 do
  local field = ARGV[i] .. 'p'
  if online > tonumber(redis.call('HGET', KEYS[i], field) or 0) then
    redis.call('HSET', KEYS[i], field, ARGV[1])
    redis.call('PEXPIRE', KEYS[i], ARGV[i + 3])
  end
end
return 1
