-- Starts a session, notes its connection, and for an active user counts the
-- login. The session's id is random, so it stands for the op and the effect: a
-- second run finds the session there.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the partition's outbox
-- KEYS[4]  the partition's connections of the lease
-- KEYS[5]  the partition's online users of the scope
-- ARGV[1]  session id
-- ARGV[2]  rest of the token's hash
-- ARGV[3]  node, ARGV[4] connection, '-' for none
-- ARGV[5]  ms that the session is good after its last use
-- ARGV[6]  '' or '=' and the password record that must be there
-- ARGV[7]  sessions that a user may have
-- ARGV[8]  the effect that ends one which is too many, up to its id,
-- ARGV[9]  and after it
-- ARGV[10] '' or a field of the user, ARGV[11] its value that must be there
-- ARGV[12] the user's id, ARGV[13] its 16 bytes
-- ARGV[14] id of the effect that tells the events
-- ARGV[15] members of user.login alone, ARGV[16] of user.online too
-- ARGV[17] lease, '' when the connection is not noted, ARGV[18] place
-- ARGV[19] id of the effect that closes the user's other connections, '' when they stay
-- ARGV[20] that effect up to their names, ARGV[21] and after them
-- ARGV[22] '' or the place that this connection had before
-- returns  {1, created, expires, fields, ids of sessions that went, {effect id, effect, …}, closing effect or ''}; expired ones not counted
--          {0} no such user
--          {2} another password record is stored, or another value
--          {3, until, reason} the user is banned until then, in ms, 0 for good
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then
  return {0}
end
local rec = {}
for i = 1, #flat, 2 do
  rec[flat[i]] = flat[i + 1]
end
if ARGV[6] ~= '' and ARGV[6] ~= '=' .. (rec.p or '') then
  return {2}
end
if ARGV[10] ~= '' and rec[ARGV[10]] ~= ARGV[11] then
  return {2}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = string.format('%.0f', now)
if rec.bu and (rec.bu == '0' or tonumber(rec.bu) > now) then
  return {3, tonumber(rec.bu), rec.br or ''}
end

local gone, created, expires = {}, now, now + tonumber(ARGV[5])
local mine = redis.call('HGET', KEYS[2], ARGV[1])
if mine then
  local c, e = string.match(mine, '^%S+ (%d+) (%d+)')
  created, expires = tonumber(c), tonumber(e)
else
  local live = {}
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    local ends = tonumber(string.match(all[i + 1], '^%S+ %d+ (%d+)'))
    if ends <= now then
      redis.call('HDEL', KEYS[2], all[i])
    else
      live[#live + 1] = {all[i], ends}
    end
  end
  table.sort(live, function(a, b) return a[2] < b[2] end)
  for i = 1, #live - tonumber(ARGV[7]) + 1 do
    local id = live[i][1]
    redis.call('HDEL', KEYS[2], id)
    redis.call('HSET', KEYS[3], id, at .. ' ' .. ARGV[8] .. id .. ARGV[9])
    gone[#gone + 1] = id
  end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. at .. ' ' .. string.format('%.0f', expires) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
  if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then
    redis.call('PEXPIRE', KEYS[2], ARGV[5])
  end
end

local events, closing = '', ''
if rec.a == '1' then
  events = event_of('user.login', ARGV[12], rec, ARGV[15] .. ARGV[16])
end
if ARGV[17] ~= '' then
  local online, others = arrive(KEYS[1], KEYS[4], KEYS[5], flat, ARGV[12], rec, ARGV[17], ARGV[18], ARGV[1], at, rec.sc, ARGV[13], ARGV[16])
  events = events .. online
  closing = replacing(KEYS[3], others, ARGV[19], ARGV[20], ARGV[21], at, ARGV[22])
end
if not mine and rec.a == '1' then
  redis.call('HSET', KEYS[1], 'll', at)
  redis.call('HINCRBY', KEYS[1], 'lc', 1)
end
local pending = leave(KEYS[1], KEYS[3], rec, ARGV[14], events)
return {1, created, expires, redis.call('HGETALL', KEYS[1]), gone, pending, closing}
