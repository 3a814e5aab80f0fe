-- Keeps a new code of a user. Its id is random, so it stands for the op: a
-- second run finds the code there.
--
-- KEYS[1]  the user
-- KEYS[2]  his codes
-- ARGV[1]  code id
-- ARGV[2]  rest of the code's hash
-- ARGV[3]  kind, ARGV[4] way: one letter each
-- ARGV[5]  ms that it is good
-- ARGV[6]  ms that a code is remembered after that
-- ARGV[7]  codes of a kind that may be open
-- ARGV[8]  codes that are kept at all; more than may be open of all kinds
-- ARGV[9]  '' or '=' and the email key that the user must have
-- returns  {1} done
--          {0} no such user
--          {2} the user has another email
--          {3} the user is not waiting for a confirmation
local rec = redis.call('HMGET', KEYS[1], 'sc', 'e', 'ek', 'cf')
if not rec[1] then
  return {0}
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then
  return {1}
end
if ARGV[9] ~= '' and ARGV[9] ~= '=' .. (rec[3] or rec[2] or '') then
  return {2}
end
if ARGV[3] == 'c' and not rec[4] then
  return {3}
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ttl, keep = tonumber(ARGV[5]), tonumber(ARGV[6])
local open, all = {}, {}
local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do
  local state, kind, created, expires = string.match(flat[i + 1], '^(.)(.). %S+ (%d+) (%d+)$')
  created, expires = tonumber(created), tonumber(expires)
  if expires + keep <= now then
    redis.call('HDEL', KEYS[2], flat[i])
  else
    local code = {flat[i], flat[i + 1], created, state == 'o' and expires > now}
    all[#all + 1] = code
    if code[4] and kind == ARGV[3] then
      open[#open + 1] = code
    end
  end
end
local function older(a, b)
  return a[3] < b[3]
end
table.sort(open, older)
for i = 1, #open - tonumber(ARGV[7]) + 1 do
  redis.call('HSET', KEYS[2], open[i][1], 'v' .. string.sub(open[i][2], 2))
  open[i][4] = false
end
table.sort(all, older)
local many = #all - tonumber(ARGV[8]) + 1
for i = 1, #all do
  if many > 0 and not all[i][4] then
    redis.call('HDEL', KEYS[2], all[i][1])
    many = many - 1
  end
end

redis.call('HSET', KEYS[2], ARGV[1], 'o' .. ARGV[3] .. ARGV[4] .. ' ' .. ARGV[2] .. ' ' ..
  string.format('%.0f', now) .. ' ' .. string.format('%.0f', now + ttl))
if redis.call('PTTL', KEYS[2]) < ttl + keep then
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ttl + keep))
end
return {1}
