-- Looks at a code.
--
-- KEYS[1]  the user
-- KEYS[2]  his codes
-- ARGV[1]  code id
-- ARGV[2]  rest of the code's hash
-- ARGV[3]  ms that a code is remembered after its expiry
-- returns  {0} no such code
--          {1, kind, expires, fields} it is good
--          {2, kind, expires, fields} it was used or is void
--          {3, kind, expires, fields} it has expired
local code = redis.call('HGET', KEYS[2], ARGV[1])
if not code then
  return {0}
end
local state, kind, rest, expires = string.match(code, '^(.)(.). (%S+) %d+ (%d+)$')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
expires = tonumber(expires)
if rest ~= ARGV[2] or expires + tonumber(ARGV[3]) <= now then
  return {0}
end
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then
  return {0}
end
local ends = 1
if state ~= 'o' then
  ends = 2
elseif expires <= now then
  ends = 3
end
return {ends, kind, expires, flat}
