-- Keeps the first server key's hash.
--
-- KEYS[1]  what holds for all of the server
-- ARGV[1]  the hash
-- ARGV[2]  the op
-- returns  {hash that is kept, 1 if it is this op's, else 0}
if redis.call('HSETNX', KEYS[1], 'server_key', ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'server_key_op', ARGV[2])
end
local r = redis.call('HMGET', KEYS[1], 'server_key', 'server_key_op')
if r[2] == ARGV[2] then
  return {r[1], 1}
end
return {r[1], 0}
