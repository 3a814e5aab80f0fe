-- Reads the sessions of a user, with the time to hold them against.
--
-- KEYS[1]  the user's sessions
-- returns  {now, id, session, …}
local t = redis.call('TIME')
local all = redis.call('HGETALL', KEYS[1])
table.insert(all, 1, t[1] * 1000 + math.floor(t[2] / 1000))
return all
