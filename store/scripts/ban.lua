-- Bans a user and ends the sessions, or lifts a ban.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the op
-- KEYS[4]  the partition's outbox
-- ARGV[1]  the user's id
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  until when, in ms, 0 for good; '' lifts the ban
-- ARGV[4]  reason or ''
-- ARGV[5]  id of the effect that ends the sessions, ARGV[6] the effect
-- ARGV[7]  id of the effect that tells the event, ARGV[8] members of the event
-- returns  {1, fields, {effect id, effect, …}} done, also when this op did it before
--          {0} no such user
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {1, redis.call('HGETALL', KEYS[1]), left_before(KEYS[1], KEYS[4], ARGV[7])}
end
local got = redis.call('HMGET', KEYS[1], 'sc', 'u', 'g', 'pe', 'bu')
local rec = {sc = got[1], u = got[2], g = got[3] or nil, pe = got[4] or nil}
if not rec.sc then
  return {0}
end
local events = ''
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'bu', 'br')
  if got[5] then
    events = event_of('user.unbanned', ARGV[1], rec, '')
  end
else
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'bu', ARGV[3])
  redis.call('HDEL', KEYS[1], 'br')
  if ARGV[4] ~= '' then
    redis.call('HSET', KEYS[1], 'br', ARGV[4])
  end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[4], ARGV[5], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[6])
  events = event_of('user.banned', ARGV[1], rec, ARGV[8])
end
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
local pending = leave(KEYS[1], KEYS[4], rec, ARGV[7], events)
return {1, redis.call('HGETALL', KEYS[1]), pending}
