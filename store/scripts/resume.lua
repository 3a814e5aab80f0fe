-- Continues a session on a connection, and notes the connection.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the partition's outbox
-- KEYS[4]  the partition's connections of the lease
-- KEYS[5]  the partition's online users of the scope
-- ARGV[1]  session id
-- ARGV[2]  rest of the token's hash
-- ARGV[3]  node, ARGV[4] connection, '-' for none
-- ARGV[5]  ms that the session is good from now
-- ARGV[6]  scope that the user must be of, '' for any
-- ARGV[7]  the user's id, ARGV[8] its 16 bytes
-- ARGV[9]  id of the effect that tells the events
-- ARGV[10] members of both events
-- ARGV[11] lease, '' when the connection is not noted, ARGV[12] place
-- ARGV[13] id of the effect that closes the user's other connections, '' when they stay
-- ARGV[14] that effect up to their names, ARGV[15] and after them
-- ARGV[16] '' or the place that this connection had before
-- returns  {1, created, expires, former node, former connection, fields, {effect id, effect, …}, closing effect or ''}
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
local at = string.format('%.0f', now)
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
local rec = {}
for i = 1, #flat, 2 do
  rec[flat[i]] = flat[i + 1]
end
if ARGV[6] ~= '' and rec.sc ~= ARGV[6] then
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

local events, closing = '', ''
if rec.a == '1' then
  events = event_of('user.resumed', ARGV[7], rec, ARGV[10])
end
if ARGV[11] ~= '' then
  local online, others = arrive(KEYS[1], KEYS[4], KEYS[5], flat, ARGV[7], rec, ARGV[11], ARGV[12], ARGV[1], at, rec.sc, ARGV[8], ARGV[10])
  events = events .. online
  closing = replacing(KEYS[3], others, ARGV[13], ARGV[14], ARGV[15], at, ARGV[16])
end
local pending = leave(KEYS[1], KEYS[3], rec, ARGV[9], events)
local former_node, former_conn = string.match(last, '^ (%S+) (%S+)$')
return {1, tonumber(created), now + ttl, former_node or '', former_conn or '', flat, pending, closing}
