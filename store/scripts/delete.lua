-- Deletes a user with his sessions and codes.
--
-- KEYS[1]  the user
-- KEYS[2]  his sessions
-- KEYS[3]  the op
-- KEYS[4]  the partition's outbox
-- KEYS[5]  the partition's names of the scope
-- KEYS[6]  the partition's creation times of the scope
-- KEYS[7]  his codes
-- KEYS[8]  his fences, where 'gone' says that nobody gets his id again
-- KEYS[9]  the partition's online users of the scope
-- KEYS[10] the partition's users who have yet to confirm
-- ARGV[1]  the user's id
-- ARGV[2]  scope
-- ARGV[3]  ms that the op is kept
-- ARGV[4]  id of the effect that says so, ARGV[5] the effect
-- ARGV[6]  ms that 'gone' is kept
-- ARGV[7]  the user's 16 bytes
-- ARGV[8]  id of the effect that tells the events
-- returns  {1, username key, email key or '', {provider, identity, …}, {effect id, effect, …}}
--          done, also when this op did it before
--          {0} no such user
--          {2} the user is of another scope
--
-- The outcome is kept as all those texts, each behind its length and a colon.
local done = redis.call('GET', KEYS[3])
if done then
  local texts, at = {}, 1
  while at <= #done do
    local colon = string.find(done, ':', at, true)
    local last = colon + tonumber(string.sub(done, at, colon - 1))
    texts[#texts + 1] = string.sub(done, colon + 1, last)
    at = last + 1
  end
  local bound = {}
  for i = 3, #texts do
    bound[#bound + 1] = texts[i]
  end
  local effect = redis.call('HGET', KEYS[4], ARGV[8])
  return {1, texts[1], texts[2], bound, {ARGV[8], effect or nil}}
end
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then
  return {0}
end
local rec, bound, connected = {}, {}, false
for i = 1, #flat, 2 do
  rec[flat[i]] = flat[i + 1]
  connected = connected or string.sub(flat[i], 1, 3) == 'on:'
  if string.sub(flat[i], 1, 3) == 'pv:' then
    bound[#bound + 1] = string.sub(flat[i], 4)
    bound[#bound + 1] = flat[i + 1]
  end
end
if rec.sc ~= ARGV[2] then
  return {2}
end
local name = rec.uk or rec.u
local mail = rec.ek or rec.e or ''
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('ZREM', KEYS[5], name .. '\0' .. ARGV[1])
redis.call('ZREM', KEYS[6], string.rep('0', 13 - #rec.ca) .. rec.ca .. ARGV[1])
redis.call('ZREM', KEYS[10], rec.sc .. '\0' .. ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[7])
redis.call('HSET', KEYS[8], 'gone', 1)
redis.call('PEXPIRE', KEYS[8], ARGV[6])
redis.call('HSET', KEYS[4], ARGV[4], now .. ' ' .. ARGV[5])
local outcome = #name .. ':' .. name .. #mail .. ':' .. mail
for _, text in ipairs(bound) do
  outcome = outcome .. #text .. ':' .. text
end
redis.call('SET', KEYS[3], outcome, 'PX', ARGV[3])
local events = event_of('user.deleted', ARGV[1], rec, '')
if connected then
  redis.call('SREM', KEYS[9], ARGV[7])
  events = event_of('user.offline', ARGV[1], rec, ',"reason":"ended"') .. events
end
return {1, name, mail, bound, leave('', KEYS[4], rec, ARGV[8], events)}
