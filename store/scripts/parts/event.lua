-- Stands before the scripts that leave an event of a user in the outbox, from
-- where it goes into the feed of the user's scope. rec holds fields of the user:
-- sc, u, g and pe.
--
-- An effect of this kind is "<ms> feed <us>\n<scope>\n", and for each event
-- "<name>\n<user id>\n<data>\n"; <us> is the time of the events in microseconds.
-- The data is a JSON object, in which there are no line ends.

-- event_of returns one event of a user; more are JSON members with a comma
-- before each.
local function event_of(name, id, rec, more)
  local data = '{"user_id":"' .. id .. '","username":' .. cjson.encode(rec.u)
  if rec.g then
    data = data .. ',"group":' .. cjson.encode(rec.g)
  end
  return name .. '\n' .. id .. '\n' .. data .. more .. '}\n'
end

-- leave puts events into the outbox as one effect, unless a former run of the
-- same script did, and returns {id, effect, …}: this effect, and before it those
-- of the same user that are still there. Who appends them in that order keeps
-- the user's events in order. Their ids stand in the user's field pe, the last
-- five, which keeps the field within 64 bytes. One that stands there and is not
-- in the outbox any more was appended, be it by another node: it is not left
-- again, with another time.
local function leave(user, outbox, rec, effect_id, events)
  local pending, ids, again = {}, {}, false
  for other in string.gmatch(rec.pe or '', '%S+') do
    again = again or other == effect_id
    local effect = other ~= effect_id and redis.call('HGET', outbox, other)
    if effect then
      pending[#pending + 1] = other
      pending[#pending + 1] = effect
      ids[#ids + 1] = other
    end
  end
  local mine = redis.call('HGET', outbox, effect_id)
  if not mine then
    if events == '' or again then
      return pending
    end
    local t = redis.call('TIME')
    mine = string.format('%.0f feed %.0f', t[1] * 1000 + math.floor(t[2] / 1000), t[1] * 1000000 + t[2]) .. '\n' .. rec.sc .. '\n' .. events
    redis.call('HSET', outbox, effect_id, mine)
  end
  ids[#ids + 1] = effect_id
  local all = table.concat(ids, ' ', math.max(1, #ids - 4))
  if user ~= '' and all ~= rec.pe then
    redis.call('HSET', user, 'pe', all)
  end
  pending[#pending + 1] = effect_id
  pending[#pending + 1] = mine
  return pending
end

-- left_before returns what leave returned, for a second run of a script. The
-- user may be gone by then, and stays gone.
local function left_before(user, outbox, effect_id)
  return leave('', outbox, {pe = redis.call('HGET', user, 'pe') or nil}, effect_id, '')
end
