-- Notes what came of a step of a scope's webhook, for its owner alone. The op is
-- remembered, so a second run changes nothing.
--
-- KEYS[1]  the webhook's cursor
-- ARGV[1]  owner
-- ARGV[2]  when the webhook was set up, ms
-- ARGV[3]  the op
-- ARGV[4]  ms by which the lease is extended; 0 gives it up
-- ARGV[5]  the new place: seq, '' to stay; ARGV[6] epoch, ARGV[7] event id
-- ARGV[8]  the revision that was tried
-- ARGV[9]  failures in a row, ARGV[10] ms until the next attempt is due
-- ARGV[11] end of the batch that failed, 0 for none
-- ARGV[12] '1' pauses the revision
-- ARGV[13] the attempt, '' for none: "<HTTP status> <events> <ms> <error>"
-- ARGV[14] attempts that are kept
-- returns  1 done, also when this op did it before; 0 it is no longer the owner's
local k = KEYS[1]
local r = redis.call('HMGET', k, 'id', 'o', 'op', 'l')
if r[1] == ARGV[2] and r[3] == ARGV[3] then
  return 1
end
if r[1] ~= ARGV[2] or r[2] ~= ARGV[1] then
  return 0
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', k, 'op', ARGV[3], 'r', ARGV[8], 'f', ARGV[9], 'be', ARGV[11], 'b', string.format('%.0f', now + ARGV[10]))
if ARGV[4] == '0' then
  redis.call('HDEL', k, 'o', 'u')
else
  redis.call('HSET', k, 'u', string.format('%.0f', now + ARGV[4]))
end
if ARGV[5] ~= '' then
  redis.call('HSET', k, 'sq', ARGV[5], 'ep', ARGV[6], 'ev', ARGV[7])
end
if ARGV[12] == '1' then
  redis.call('HSET', k, 'pa', '1')
else
  redis.call('HDEL', k, 'pa')
end
if ARGV[13] ~= '' then
  local log = {string.format('%.0f', now) .. ' ' .. ARGV[13]}
  for line in string.gmatch(r[4] or '', '[^\n]+') do
    if #log < tonumber(ARGV[14]) then
      log[#log + 1] = line
    end
  end
  redis.call('HSET', k, 'l', table.concat(log, '\n'))
end
return 1
