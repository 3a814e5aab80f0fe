-- Removes an index entry if it still holds exactly what we wrote.
--
-- KEYS[1]  the index entry
-- ARGV[1]  the whole value that we wrote
-- returns  1 if it was removed, 0 if it was gone or held by somebody else
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
