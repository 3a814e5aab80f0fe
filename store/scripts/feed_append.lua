-- Appends the events of one effect to a scope's feed, and counts them. An effect
-- that was appended before, or a failed login that is one of too many, is not
-- appended.
--
-- The meta hash: s seq, e epoch, o seq behind which the epoch began, l id of the
-- newest entry, i its event id, n online now, b bytes kept, f seq of the oldest
-- entry that may be kept.
--
-- KEYS[1]  meta
-- KEYS[2]  the feed
-- KEYS[3]  numbers of effects that were appended
-- KEYS[4]  counts of the minutes, KEYS[5] of the hours, KEYS[6] of the days
-- KEYS[7]  users seen that day, KEYS[8] the same again
-- KEYS[9…] counters of failed logins, when it is one
-- ARGV[1]  number of the effect
-- ARGV[2]  epoch, if the feed has none
-- ARGV[3]  ms of the events
-- ARGV[4]  ms that the number is kept
-- ARGV[5]  field of the minute, ARGV[6] of the hour, ARGV[7] of the day
-- ARGV[8]  ms that minutes are kept, ARGV[9] hours, ARGV[10] days and users seen
-- ARGV[11] events that are kept, ARGV[12] ms that all are kept below the bytes,
-- ARGV[13] ms after which none is, ARGV[14] bytes that are kept
-- ARGV[15] failed logins a minute that are appended
-- ARGV[16] the command that adds to the users seen
-- ARGV[17…] for each event: name, user id or '', data, event id, its number, what it counts as or ''
-- returns  {1, seq of the newest event appended, epoch}, or {0} none was
local fresh = redis.call('SADD', KEYS[3], ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if fresh == 0 then
  return {0}
end

local meta = redis.call('HMGET', KEYS[1], 's', 'e', 'n', 'b', 'f')
local seq, epoch = tonumber(meta[1] or 0), meta[2] or ARGV[2]
local online, bytes, first = tonumber(meta[3] or 0), tonumber(meta[4] or 0), tonumber(meta[5] or 1)

-- A feed to which nothing came for long enough is gone as a whole. That is no
-- loss: everything in it was too old.
if seq >= first and redis.call('EXISTS', KEYS[2]) == 0 then
  bytes, first = 0, seq + 1
end
local before = seq

local stored = true
for i = 9, #KEYS do
  local n = redis.call('INCR', KEYS[i])
  if n == 1 then
    redis.call('PEXPIRE', KEYS[i], 60000)
  end
  if n > tonumber(ARGV[15]) then
    stored = false
  end
end

-- A hash's TTL is set when it gets a field: that is often enough.
local function count(kind)
  for i = 4, 6 do
    if redis.call('HINCRBY', KEYS[i], ARGV[i + 1] .. kind, 1) == 1 then
      redis.call('PEXPIRE', KEYS[i], ARGV[i + 4])
    end
  end
end
local function raise()
  for i = 4, 6 do
    local field = ARGV[i + 1] .. 'p'
    local most = redis.call('HGET', KEYS[i], field)
    if not most or tonumber(most) < online then
      redis.call('HSET', KEYS[i], field, online)
      redis.call('PEXPIRE', KEYS[i], ARGV[i + 4])
    end
  end
end
local function seen(key, user)
  if redis.call(ARGV[16], key, user) == 1 then
    redis.call('PEXPIRE', key, ARGV[10])
  end
end

local last, newest = '', ''
for i = 17, #ARGV, 6 do
  local name, user, data, id, number, kind = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5]
  if kind == '+' or kind == '-' then
    online = math.max(0, online + (kind == '+' and 1 or -1))
    raise()
  elseif kind ~= '' then
    count(kind)
  end
  if kind == 'l' or kind == 'r' or kind == '+' then
    seen(KEYS[7], user)
    seen(KEYS[8], '+' .. user)
  end
  if stored then
    seq = seq + 1
    last, newest = string.format('%.0f', seq) .. '-' .. number, id
    redis.call('XADD', KEYS[2], last, 'n', name, 'u', user, 't', ARGV[3], 'p', epoch, 'i', id, 'd', data)
    bytes = bytes + #name + #user + #data + #id + 64
  end
end
if not stored then
  redis.call('HSET', KEYS[1], 'n', online)
  return {0}
end

-- Drop what is too old, too many or too much, in steps that keep up with what
-- comes in.
local most, young, old, room = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14])
if math.floor(seq / 64) > math.floor(before / 64) or bytes > room then
  local now, gone = tonumber(ARGV[3]), nil
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 256)) do
    local size = 64
    local age = 0
    local f = entry[2]
    for j = 1, #f, 2 do
      if f[j] == 't' then
        age = now - tonumber(f[j + 1])
      elseif f[j] ~= 'p' then
        size = size + #f[j + 1]
      end
    end
    local at = tonumber(string.match(entry[1], '^%d+'))
    local many = seq - at >= most and age > young
    if not (bytes > room or age > old or many) then
      break
    end
    bytes = bytes - size
    first, gone = at + 1, true
  end
  if gone then
    redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', first))
  end
end
redis.call('PEXPIRE', KEYS[2], ARGV[13])
redis.call('HSET', KEYS[1], 's', string.format('%.0f', seq), 'e', epoch, 'l', last, 'i', newest, 'n', online,
  'b', string.format('%.0f', bytes), 'f', string.format('%.0f', first))
return {1, seq, epoch}
