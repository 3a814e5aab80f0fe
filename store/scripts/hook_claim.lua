-- Takes a scope's webhook for one owner, unless another one has it or its next
-- attempt is not due. Again by the same owner it extends the lease.
--
-- KEYS[1]  the webhook's cursor
-- ARGV[1]  owner
-- ARGV[2]  ms of the lease
-- ARGV[3]  when the webhook was set up, ms; a later one begins anew
-- ARGV[4]  its revision; failures and pauses of another one don't count
-- ARGV[5]  where it begins: seq, ARGV[6] epoch, ARGV[7] event id
-- returns  {1, seq, epoch, event id, failures, end of the batch that failed or 0} it is the owner's
--          {0, ms} another owner has it for so long, {2, ms} it is not due for so long
--          {3} it is paused, {4} a later webhook was set up since
local k = KEYS[1]
local r = redis.call('HMGET', k, 'id', 'o', 'u', 'r', 'f', 'b', 'be', 'pa')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if not r[1] or tonumber(r[1]) < tonumber(ARGV[3]) then
  redis.call('DEL', k)
  redis.call('HSET', k, 'id', ARGV[3], 'sq', ARGV[5], 'ep', ARGV[6], 'ev', ARGV[7])
  r = {}
elseif tonumber(r[1]) > tonumber(ARGV[3]) then
  return {4}
end
if r[2] and r[2] ~= ARGV[1] and tonumber(r[3]) > now then
  return {0, tonumber(r[3]) - now}
end
local failures, batch = 0, 0
if r[4] == ARGV[4] then
  if r[8] then
    return {3}
  end
  if tonumber(r[6] or 0) > now then
    return {2, tonumber(r[6]) - now}
  end
  failures, batch = tonumber(r[5] or 0), tonumber(r[7] or 0)
end
redis.call('HSET', k, 'o', ARGV[1], 'u', string.format('%.0f', now + ARGV[2]))
local p = redis.call('HMGET', k, 'sq', 'ep', 'ev')
return {1, tonumber(p[1]), p[2], p[3], failures, batch}
