-- Takes a connection of a user out. The last one makes him offline.
--
-- KEYS[1]  the user
-- KEYS[2]  the partition's outbox
-- KEYS[3]  the partition's connections of the lease
-- KEYS[4]  the partition's online users of the scope
-- ARGV[1]  the user's id, ARGV[2] its 16 bytes
-- ARGV[3]  lease, ARGV[4] place
-- ARGV[5]  id of the effect that tells user.offline
-- ARGV[6]  members of the event
-- returns  {1, {effect id, effect, …}}, where the list may be empty
redis.call('HDEL', KEYS[3], ARGV[4])
local was = redis.call('HDEL', KEYS[1], 'on:' .. ARGV[3] .. '.' .. ARGV[4])
local got = redis.call('HMGET', KEYS[1], 'sc', 'u', 'g', 'pe')
local rec = {sc = got[1], u = got[2], g = got[3] or nil, pe = got[4] or nil}
if not rec.sc then
  return {1, {}}
end
if was == 0 then
  -- Taken out before, perhaps by a former run of this.
  if redis.call('HEXISTS', KEYS[2], ARGV[5]) == 0 then
    return {1, {}}
  end
  return {1, leave(KEYS[1], KEYS[2], rec, ARGV[5], '')}
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 3) == 'on:' then
    return {1, {}}
  end
end
redis.call('SREM', KEYS[4], ARGV[2])
return {1, leave(KEYS[1], KEYS[2], rec, ARGV[5], event_of('user.offline', ARGV[1], rec, ARGV[6]))}
