-- Notes again a connection that is there but not noted any more, such as after
-- Redis lost writes or the node was taken for dead. The session must be good.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the partition's outbox
-- KEYS[4]  the partition's connections of the lease
-- KEYS[5]  the partition's online users of the scope
-- ARGV[1]  session id
-- ARGV[2]  the user's id, ARGV[3] its 16 bytes
-- ARGV[4]  id of the effect that tells user.online
-- ARGV[5]  members of the event
-- ARGV[6]  lease, ARGV[7] place
-- returns  {1, {effect id, effect, …}}, or {0} if there is no such session
local mine = redis.call('HGET', KEYS[2], ARGV[1])
local flat = redis.call('HGETALL', KEYS[1])
if not mine or #flat == 0 then
  return {0}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if tonumber(string.match(mine, '^%S+ %d+ (%d+)')) <= now then
  return {0}
end
local rec = {}
for i = 1, #flat, 2 do
  rec[flat[i]] = flat[i + 1]
end
local events = ''
if not rec['on:' .. ARGV[6] .. '.' .. ARGV[7]] or redis.call('HEXISTS', KEYS[3], ARGV[4]) == 1 then
  events = arrive(KEYS[1], KEYS[4], KEYS[5], flat, ARGV[2], rec, ARGV[6], ARGV[7], ARGV[1], string.format('%.0f', now), rec.sc, ARGV[3], ARGV[5])
end
return {1, leave(KEYS[1], KEYS[3], rec, ARGV[4], events)}
