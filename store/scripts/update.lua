-- Changes fields of a user. A new username or email is committed only if its
-- reservation is given and not fenced off.
--
-- KEYS[1]  the user
-- KEYS[2]  his fences
-- KEYS[3]  the op
-- KEYS[4]  his sessions
-- KEYS[5]  the partition's outbox
-- KEYS[6]  his codes
-- KEYS[7]  the partition's users who have yet to confirm
-- KEYS[8]  the partition's names of the scope; absent when the username stays
-- ARGV[1]  the user's id
-- ARGV[2]  ms that the op is kept
-- ARGV[3]  '' or '=' and the password record that must be there
-- ARGV[4]  '1' if updated_at stays
-- ARGV[5]  '1' if the sessions end
-- ARGV[6]  id of the session that is kept
-- ARGV[7]  id of the effect that says so, ARGV[8] the effect
-- ARGV[9]  number of extra keys allowed, ARGV[10] bytes of extra allowed
-- ARGV[11] username or '' if it stays, ARGV[12] its key
-- ARGV[13] stamp of its reservation or '', ARGV[14] Redis key of its entry
-- ARGV[15] email: '' it stays, 'c' it goes, 's' it is ARGV[16] with key ARGV[17]
-- ARGV[18] stamp of its reservation or '', ARGV[19] Redis key of its entry
-- ARGV[20] '1' if another email has to be confirmed
-- ARGV[21] id of a session that must be good, '' for none
-- ARGV[22] id of the effect that tells the events
-- ARGV[23] members of user.updated, '' when it is not told
-- ARGV[24…] field, value, …; an empty value removes the field
-- returns  {1, former username key or '', former email key or '', fields, {effect id, effect, …}}:
--          done, also when this op did it before; a former key is one to be freed
--          {0} no such user
--          {2, 'name' or 'mail', stamp} that reservation is fenced off up to that stamp
--          {3} a reservation is needed: the record changed since it was read
--          {4} extra would be out of bounds
--          {5} another password record is stored
--          {6} the session is not good any more
local done = redis.call('GET', KEYS[3])
if done then
  local name, mail = string.match(done, '^(.-)\n(.*)$')
  return {1, name, mail, redis.call('HGETALL', KEYS[1]), left_before(KEYS[1], KEYS[5], ARGV[22])}
end
local flat = redis.call('HGETALL', KEYS[1])
if #flat == 0 then
  return {0}
end
local rec = {}
for i = 1, #flat, 2 do
  rec[flat[i]] = flat[i + 1]
end
if ARGV[3] ~= '' and ARGV[3] ~= '=' .. (rec.p or '') then
  return {5}
end
if ARGV[21] ~= '' and redis.call('HEXISTS', KEYS[4], ARGV[21]) == 0 then
  return {6}
end

local name = rec.uk or rec.u
local mail = rec.ek or rec.e or ''
local renamed = ARGV[11] ~= '' and ARGV[12] ~= name
local moved = (ARGV[15] == 's' and ARGV[17] ~= mail) or (ARGV[15] == 'c' and mail ~= '')
if renamed then
  if ARGV[13] == '' then
    return {3}
  end
  local fence = redis.call('HGET', KEYS[2], ARGV[14])
  if fence and tonumber(fence) >= tonumber(ARGV[13]) then
    return {2, 'name', tonumber(fence)}
  end
end
if moved and ARGV[15] == 's' then
  if ARGV[18] == '' then
    return {3}
  end
  local fence = redis.call('HGET', KEYS[2], ARGV[19])
  if fence and tonumber(fence) >= tonumber(ARGV[18]) then
    return {2, 'mail', tonumber(fence)}
  end
end

local extra = false
for i = 24, #ARGV, 2 do
  if string.sub(ARGV[i], 1, 2) == 'x:' then
    extra = true
    rec[ARGV[i]] = ARGV[i + 1]
  end
end
if extra then
  local keys, bytes = 0, 0
  for field, value in pairs(rec) do
    if string.sub(field, 1, 2) == 'x:' and value ~= '' then
      local kind = string.sub(value, 1, 1)
      keys = keys + 1
      bytes = bytes + #field - 2
      if kind == 't' then
        bytes = bytes + 4
      elseif kind == 'f' then
        bytes = bytes + 5
      else
        bytes = bytes + #value - 1
      end
    end
  end
  if keys > tonumber(ARGV[9]) or bytes > tonumber(ARGV[10]) then
    return {4}
  end
end

local function put(field, value)
  if value == '' then
    redis.call('HDEL', KEYS[1], field)
  else
    redis.call('HSET', KEYS[1], field, value)
  end
end
local function put_text(field, text, key_field, key)
  put(field, text)
  if key == text then
    key = ''
  end
  put(key_field, key)
end

local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))
if ARGV[11] ~= '' then
  put_text('u', ARGV[11], 'uk', ARGV[12])
end
if renamed then
  redis.call('ZREM', KEYS[8], name .. '\0' .. ARGV[1])
  redis.call('ZADD', KEYS[8], 0, ARGV[12] .. '\0' .. ARGV[1])
end
if ARGV[15] == 's' then
  put_text('e', ARGV[16], 'ek', ARGV[17])
elseif ARGV[15] == 'c' then
  put_text('e', '', 'ek', '')
end
for i = 24, #ARGV, 2 do
  put(ARGV[i], ARGV[i + 1])
end
if moved and ARGV[15] == 's' and ARGV[20] == '1' then
  redis.call('HSET', KEYS[1], 'a', '0', 'cf', 'failed')
end
if ARGV[5] == '1' or moved or (ARGV[15] == 's' and ARGV[16] ~= rec.e) then
  -- Codes were for what the user was: another spelling of the email counts too.
  local codes = redis.call('HGETALL', KEYS[6])
  for i = 1, #codes, 2 do
    if string.sub(codes[i + 1], 1, 1) == 'o' then
      redis.call('HSET', KEYS[6], codes[i], 'v' .. string.sub(codes[i + 1], 2))
    end
  end
end
if ARGV[4] ~= '1' then
  put('ua', now)
end
if ARGV[5] == '1' then
  for _, id in ipairs(redis.call('HKEYS', KEYS[4])) do
    if id ~= ARGV[6] then
      redis.call('HDEL', KEYS[4], id)
    end
  end
  redis.call('HSET', KEYS[5], ARGV[7], now .. ' ' .. ARGV[8])
end
if not renamed then
  name = ''
end
if not moved then
  mail = ''
end
redis.call('SET', KEYS[3], name .. '\n' .. mail, 'PX', ARGV[2])

local got = redis.call('HMGET', KEYS[1], 'sc', 'u', 'g', 'pe', 'cf')
local is = {sc = got[1], u = got[2], g = got[3] or nil, pe = got[4] or nil, cf = got[5] or nil}
local events = ''
if ARGV[23] ~= '' then
  events = event_of('user.updated', ARGV[1], is, ARGV[23])
end
if is.cf and not rec.cf then
  redis.call('ZADD', KEYS[7], 0, is.sc .. '\0' .. ARGV[1])
elseif rec.cf and not is.cf then
  redis.call('ZREM', KEYS[7], is.sc .. '\0' .. ARGV[1])
  events = events .. event_of('user.confirmed', ARGV[1], is, '')
end
local pending = leave(KEYS[1], KEYS[5], is, ARGV[22], events)
return {1, name, mail, redis.call('HGETALL', KEYS[1]), pending}
