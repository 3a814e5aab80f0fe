-- Continues a session on a connection.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- ARGV[1]  session id
-- ARGV[2]  rest of the token's hash
-- ARGV[3]  node, ARGV[4] connection, '-' for none
-- ARGV[5]  ms that the session is good from now
-- ARGV[6]  scope that the user must be of, '' for any
-- returns  {1, created, expires, former node, former connection, fields}
--          {0} no such session, or no such user, or one of another scope
--
-- A session keeps the connection before the present one, so that a second run
-- for the same connection answers the same.
local mine = redis.call('HGET', KEYS[2], ARGV[1])
if not mine then
  return {0}
end
local rest, created, expires, node, conn, last = string.match(mine, '^(%S+) (%d+) (%d+) (%S+) (%S+)(.*)$')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if rest ~= ARGV[2] then
  return {0}
end
if tonumber(expires) <= now then
  redis.call('HDEL', KEYS[2], ARGV[1])
  return {0}
end
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then
  return {0}
end
if ARGV[6] ~= '' and redis.call('HGET', KEYS[1], 'sc') ~= ARGV[6] then
  return {0}
end

if node ~= ARGV[3] or conn ~= ARGV[4] then
  last = ''
  if conn ~= '-' then
    last = ' ' .. node .. ' ' .. conn
  end
end
local ttl = tonumber(ARGV[5])
redis.call('HSET', KEYS[2], ARGV[1], rest .. ' ' .. created .. ' ' .. string.format('%.0f', now + ttl) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. last)
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
local former_node, former_conn = string.match(last, '^ (%S+) (%S+)$')
return {1, tonumber(created), now + ttl, former_node or '', former_conn or '', flat}
