-- Deletes a user with his sessions.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the op
-- KEYS[4]  the partition's outbox
-- KEYS[5]  the partition's names of the scope
-- KEYS[6]  the partition's creation times of the scope
-- ARGV[1]  the user's id
-- ARGV[2]  scope
-- ARGV[3]  ms that the op is kept
-- ARGV[4]  id of the effect that says so, ARGV[5] the effect
-- returns  {1, username key, email key or ''} done, also when this op did it before
--          {0} no such user
--          {2} the user is of another scope
local done = redis.call('GET', KEYS[3])
if done then
  local name, mail = string.match(done, '^(.-)\n(.*)$')
  return {1, name, mail}
end
local r = redis.call('HMGET', KEYS[1], 'sc', 'u', 'uk', 'e', 'ek', 'ca')
if not r[1] then
  return {0}
end
if r[1] ~= ARGV[2] then
  return {2}
end
local name = r[3] or r[2]
local mail = r[5] or r[4] or ''
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('ZREM', KEYS[5], name .. '\0' .. ARGV[1])
redis.call('ZREM', KEYS[6], string.rep('0', 13 - #r[6]) .. r[6] .. ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[4], ARGV[4], now .. ' ' .. ARGV[5])
redis.call('SET', KEYS[3], name .. '\n' .. mail, 'PX', ARGV[3])
return {1, name, mail}
