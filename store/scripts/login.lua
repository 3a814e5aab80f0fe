-- Starts a session, and for an active user counts the login. The session's id
-- is random, so it stands for the op: a second run finds the session there.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the partition's outbox
-- ARGV[1]  session id
-- ARGV[2]  rest of the token's hash
-- ARGV[3]  node, ARGV[4] connection, '-' for none
-- ARGV[5]  ms that the session is good after its last use
-- ARGV[6]  '' or '=' and the password record that must be there
-- ARGV[7]  sessions that a user may have
-- ARGV[8]  the effect that ends one which is too many, up to its id,
-- ARGV[9]  and after it
-- ARGV[10] '' or a field of the user, ARGV[11] its value that must be there
-- returns  {1, created, expires, fields, ids of sessions that went}; expired ones not counted
--          {0} no such user
--          {2} another password record is stored, or another value
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
local mine = redis.call('HGET', KEYS[2], ARGV[1])
if mine then
  local created, expires = string.match(mine, '^%S+ (%d+) (%d+)')
  return {1, tonumber(created), tonumber(expires), flat, {}}
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = string.format('%.0f', now)
local ttl = tonumber(ARGV[5])
local live = {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local expires = tonumber(string.match(all[i + 1], '^%S+ %d+ (%d+)'))
  if expires <= now then
    redis.call('HDEL', KEYS[2], all[i])
  else
    live[#live + 1] = {all[i], expires}
  end
end
table.sort(live, function(a, b) return a[2] < b[2] end)
local gone = {}
for i = 1, #live - tonumber(ARGV[7]) + 1 do
  local id = live[i][1]
  redis.call('HDEL', KEYS[2], id)
  redis.call('HSET', KEYS[3], id, at .. ' ' .. ARGV[8] .. id .. ARGV[9])
  gone[#gone + 1] = id
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ' ' .. at .. ' ' .. string.format('%.0f', now + ttl) .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
if rec.a == '1' then
  redis.call('HSET', KEYS[1], 'll', at)
  redis.call('HINCRBY', KEYS[1], 'lc', 1)
  flat = redis.call('HGETALL', KEYS[1])
end
return {1, now, now + ttl, flat, gone}
