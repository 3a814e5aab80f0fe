-- Deletes an admin, unless nobody would be left who may do everything.
--
-- KEYS[1]  the admin
-- KEYS[2]  set of all admins' names
-- KEYS[3]  the op
-- KEYS[4]  the admins' outbox
-- KEYS[5]  the admin who asks; the same as the first when the server itself does
-- KEYS[6…] the other admins
-- ARGV[1]  name
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  generation that the admin must have
-- ARGV[4]  '=' and generation of the admin who asks, '' when the server itself does
-- ARGV[5]  id of the effect that tells, ARGV[6] the effect
-- ARGV[7]  the role that may do everything
-- returns  1 done, also when this op did it before
--          0 no such admin
--          2 who asks is not an admin of that generation any more
--          3 the admin has another generation
--          4 the admin is the last of that role for all scopes
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 1
end
if ARGV[4] ~= '' and ARGV[4] ~= '=' .. (redis.call('HGET', KEYS[5], 'g') or '\n') then
  return 2
end
local generation = redis.call('HGET', KEYS[1], 'g')
if not generation then
  return 0
end
if generation ~= ARGV[3] then
  return 3
end
local function does_all(key)
  return redis.call('HGET', key, 'r') == ARGV[7] and redis.call('HEXISTS', key, 's') == 0
end
if does_all(KEYS[1]) then
  local another = false
  for i = 6, #KEYS do
    another = another or does_all(KEYS[i])
  end
  if not another then
    return 4
  end
end
redis.call('DEL', KEYS[1])
redis.call('SREM', KEYS[2], ARGV[1])
local t = redis.call('TIME')
redis.call('HSET', KEYS[4], ARGV[5], string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)) .. ' ' .. ARGV[6])
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
return 1
