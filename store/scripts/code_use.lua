-- Uses a code: confirms the user's email, or sets another password and ends the
-- sessions.
--
-- KEYS[1]  the user
-- KEYS[2]  his codes
-- KEYS[3]  the op
-- KEYS[4]  his sessions
-- KEYS[5]  the partition's outbox
-- KEYS[6]  the partition's users who have yet to confirm
-- ARGV[1]  code id
-- ARGV[2]  rest of the code's hash
-- ARGV[3]  the kind that it must have: 'c' to confirm, 'r' to reset
-- ARGV[4]  ms that the op is kept
-- ARGV[5]  ms that a code is remembered after its expiry
-- ARGV[6]  reset: the password record
-- ARGV[7]  reset: id of the effect that ends the sessions, ARGV[8] the effect
-- ARGV[9]  the user's id, ARGV[10] id of the effect that tells the events
-- returns  {1, fields, {effect id, effect, …}} done, also when this op did it before
--          {0} no such code of that kind
--          {2} it was used or is void; or to confirm: nothing is open
--          {3} it has expired
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {1, redis.call('HGETALL', KEYS[1]), left_before(KEYS[1], KEYS[5], ARGV[10])}
end
local code = redis.call('HGET', KEYS[2], ARGV[1])
if not code then
  return {0}
end
local state, kind, way, rest, expires = string.match(code, '^(.)(.)(.) (%S+) %d+ (%d+)$')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = string.format('%.0f', now)
expires = tonumber(expires)
if rest ~= ARGV[2] or kind ~= ARGV[3] or expires + tonumber(ARGV[5]) <= now then
  return {0}
end
local rec = redis.call('HMGET', KEYS[1], 'sc', 'cf', 'u', 'g', 'pe')
local is = {sc = rec[1], u = rec[3], g = rec[4] or nil, pe = rec[5] or nil}
local events = ''
if not rec[1] then
  return {0}
end
if state ~= 'o' then
  return {2}
end
if expires <= now then
  return {3}
end
if kind == 'c' and not rec[2] then
  return {2}
end

if rec[2] and (kind == 'c' or way == 'm') then
  redis.call('HSET', KEYS[1], 'a', '1')
  redis.call('HDEL', KEYS[1], 'cf')
  redis.call('ZREM', KEYS[6], is.sc .. '\0' .. ARGV[9])
  events = event_of('user.confirmed', ARGV[9], is, '')
end
redis.call('HSET', KEYS[1], 'ua', at)
local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do
  if string.sub(flat[i + 1], 1, 1) == 'o' and (kind == 'r' or string.sub(flat[i + 1], 2, 2) == 'c') then
    redis.call('HSET', KEYS[2], flat[i], 'v' .. string.sub(flat[i + 1], 2))
  end
end
redis.call('HSET', KEYS[2], ARGV[1], 'u' .. string.sub(code, 2))
if kind == 'r' then
  events = event_of('user.updated', ARGV[9], is, ',"fields":["password"]') .. events
  redis.call('HSET', KEYS[1], 'p', ARGV[6])
  redis.call('DEL', KEYS[4])
  redis.call('HSET', KEYS[5], ARGV[7], at .. ' ' .. ARGV[8])
end
redis.call('SET', KEYS[3], '1', 'PX', ARGV[4])
local pending = leave(KEYS[1], KEYS[5], is, ARGV[10], events)
return {1, redis.call('HGETALL', KEYS[1]), pending}
