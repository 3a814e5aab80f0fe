-- Renews a node's lease, or makes it, and finds those that have ended.
--
-- KEYS[1]  the leases
-- KEYS[2]  the clock: r when a lease was last renewed, q until when nobody reaps
-- ARGV[1]  lease
-- ARGV[2]  ms that it is good from now
-- ARGV[3]  what the node says of itself
-- ARGV[4]  '1' to make it, '0' to renew it
-- ARGV[5]  ms without any renewal after which the storage itself was away,
-- ARGV[6]  and ms for which nobody reaps then
-- ARGV[7]  '1' when no other node can be alive
-- returns  {1, now, lease that has ended, …}; none while nobody reaps
--          {0, now} the lease is being reaped, or is gone
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local at = string.format('%.0f', now)
local clock = redis.call('HMGET', KEYS[2], 'r', 'q')
if clock[1] and now - tonumber(clock[1]) > tonumber(ARGV[5]) then
  clock[2] = string.format('%.0f', now + tonumber(ARGV[6]))
  redis.call('HSET', KEYS[2], 'q', clock[2])
end
redis.call('HSET', KEYS[2], 'r', at)
local mine = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[4] == '0' and (not mine or string.sub(mine, 1, 2) == '0 ') then
  return {0, now}
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + tonumber(ARGV[2])) .. ' ' .. ARGV[3])
local answer = {1, now}
if ARGV[7] == '1' or not clock[2] or tonumber(clock[2]) <= now then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local ends = tonumber(string.match(all[i + 1], '^%d+'))
    if all[i] ~= ARGV[1] and (ends <= now or ARGV[7] == '1') then
      answer[#answer + 1] = all[i]
    end
  end
end
return answer
