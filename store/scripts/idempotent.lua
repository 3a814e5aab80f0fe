-- Keeps the first caller's value for a while.
--
-- KEYS[1]  the record
-- ARGV[1]  value
-- ARGV[2]  ms that it is kept
-- returns  the value that is kept
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return ARGV[1]
end
return redis.call('GET', KEYS[1])
