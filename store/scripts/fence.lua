-- Refuses all later commits of a user that rely on a reservation with this
-- stamp or an older one, unless his record names the entry.
--
-- KEYS[1]  the user
-- KEYS[2]  his fences
-- ARGV[1]  scope
-- ARGV[2]  field of the text as typed
-- ARGV[3]  field of the text's key, when it differs
-- ARGV[4]  the text's key
-- ARGV[5]  Redis key of the entry
-- ARGV[6]  stamp
-- ARGV[7]  ms that the fence stands
-- returns  1 if the record names the entry, else 0
local r = redis.call('HMGET', KEYS[1], 'sc', ARGV[2], ARGV[3])
if r[1] == ARGV[1] and (r[3] or r[2]) == ARGV[4] then
  return 1
end
local fence = redis.call('HGET', KEYS[2], ARGV[5])
if not fence or tonumber(fence) < tonumber(ARGV[6]) then
  redis.call('HSET', KEYS[2], ARGV[5], ARGV[6])
end
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[7]) then
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
return 0
