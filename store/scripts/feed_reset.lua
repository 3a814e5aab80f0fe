-- Begins a new epoch of a feed that was found behind what was already seen of
-- it, or gone. seq goes on behind what was seen.
--
-- KEYS[1]  meta
-- KEYS[2]  the feed
-- ARGV[1]  epoch that was seen
-- ARGV[2]  seq that was seen
-- ARGV[3]  id of the entry that was seen there, or ''
-- ARGV[4]  the new epoch
-- returns  {1, seq, epoch}: another epoch began behind that seq
--          {0}: nothing was lost
local meta = redis.call('HMGET', KEYS[1], 's', 'e', 'l', 'f', 'o')
local seq, epoch, last = tonumber(meta[1] or 0), meta[2] or '', meta[3] or ''
if epoch ~= '' and epoch ~= ARGV[1] then
  return {1, tonumber(meta[5] or 0), epoch} -- another one was faster, or it was long ago
end
local seen = tonumber(ARGV[2])
if epoch ~= '' and seq >= seen then
  -- The entry itself must be there, unless it is so old that it was dropped.
  if ARGV[3] == '' or last == ARGV[3] or seen < tonumber(meta[4] or 1) then
    return {0}
  end
  if #redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3]) == 1 or redis.call('EXISTS', KEYS[2]) == 0 then
    return {0}
  end
end
seq = math.max(seq, seen)
local at = string.format('%.0f', seq)
redis.call('HSET', KEYS[1], 's', at, 'e', ARGV[4], 'o', at, 'l', '', 'i', '')
return {1, seq, ARGV[4]}
