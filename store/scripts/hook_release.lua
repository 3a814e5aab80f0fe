-- Gives up an owner's lease of a scope's webhook, or forgets a webhook that was
-- removed.
--
-- KEYS[1]  the webhook's cursor
-- ARGV[1]  owner, '' to forget
-- ARGV[2]  when the webhook to forget was set up, ms; a later one stays
-- returns  1; there is nothing to be told
if ARGV[1] ~= '' then
  if redis.call('HGET', KEYS[1], 'o') == ARGV[1] then
    redis.call('HDEL', KEYS[1], 'o', 'u')
  end
else
  local id = redis.call('HGET', KEYS[1], 'id')
  if id and tonumber(id) <= tonumber(ARGV[2]) then
    redis.call('DEL', KEYS[1])
  end
end
return 1
