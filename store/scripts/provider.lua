-- Adds, changes or removes one of a user's providers. A new identity is
-- committed only if its reservation is given and not fenced off.
--
-- KEYS[1]  the user
-- KEYS[2]  his fences
-- KEYS[3]  the op
-- KEYS[4]  the partition's outbox
-- ARGV[1]  ms that the op is kept
-- ARGV[2]  'add', 'update' or 'remove'
-- ARGV[3]  the scope for which the entry was reserved
-- ARGV[4]  provider
-- ARGV[5]  the new identity, '' if it stays or goes
-- ARGV[6]  stamp of its reservation or '', ARGV[7] Redis key of its entry
-- ARGV[8]  the user's id, ARGV[9] id of the effect that tells user.updated
-- ARGV[10…] field, value, …; an empty value removes the field
-- returns  {1, former identity or '', fields, {effect id, effect, …}}: done, also
--          when this op did it before; a former identity is one to be freed
--          {0} no such user
--          {2, stamp} the reservation is fenced off up to that stamp
--          {3} a reservation is needed: the record changed since it was read
--          {4} the user has the provider already
--          {5} the user does not have the provider
local done = redis.call('GET', KEYS[3])
if done then
  return {1, done, redis.call('HGETALL', KEYS[1]), left_before(KEYS[1], KEYS[4], ARGV[9])}
end
local scope = redis.call('HGET', KEYS[1], 'sc')
if not scope then
  return {0}
end
if scope ~= ARGV[3] then
  return {3}
end
local mine = 'pv:' .. ARGV[4]
local former = redis.call('HGET', KEYS[1], mine)
if ARGV[2] == 'add' and former then
  return {4}
end
if ARGV[2] ~= 'add' and not former then
  return {5}
end
former = former or ''

local another = ARGV[5] ~= '' and ARGV[5] ~= former
if another then
  if ARGV[6] == '' then
    return {3}
  end
  local fence = redis.call('HGET', KEYS[2], ARGV[7])
  if fence and tonumber(fence) >= tonumber(ARGV[6]) then
    return {2, tonumber(fence)}
  end
end

local seen = another
if ARGV[2] == 'remove' then
  seen = true
  redis.call('HDEL', KEYS[1], mine, 'pc:' .. ARGV[4], 'pt:' .. ARGV[4], 'px:' .. ARGV[4])
else
  if another then
    redis.call('HSET', KEYS[1], mine, ARGV[5])
  else
    former = ''
  end
  for i = 10, #ARGV, 2 do
    if string.sub(ARGV[i], 1, 3) == 'pc:' then
      seen = true
    end
    if ARGV[i + 1] == '' then
      redis.call('HDEL', KEYS[1], ARGV[i])
    else
      redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    end
  end
end
if seen then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'ua', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
end
redis.call('SET', KEYS[3], former, 'PX', ARGV[1])
local got = redis.call('HMGET', KEYS[1], 'u', 'g', 'pe')
local rec = {sc = scope, u = got[1], g = got[2] or nil, pe = got[3] or nil}
local events = ''
if seen then
  events = event_of('user.updated', ARGV[8], rec, ',"fields":["providers"]')
end
local pending = leave(KEYS[1], KEYS[4], rec, ARGV[9], events)
return {1, former, redis.call('HGETALL', KEYS[1]), pending}
