-- Stands, with event.lua, before the scripts that bring a user's connection in.

-- arrive notes a connection of a user. flat is the user's hash; the other
-- arguments are those of the script. It returns the event user.online, or '' if
-- the user had a connection already, be it this one, and the places of the others.
local function arrive(user, at, online, flat, id, rec, lease, place, session, ms, scope, raw, more)
  local mine, others, again = 'on:' .. lease .. '.' .. place, {}, false
  for i = 1, #flat, 2 do
    if flat[i] == mine then
      again = true
    elseif string.sub(flat[i], 1, 3) == 'on:' then
      others[#others + 1] = string.sub(flat[i], 4)
    end
  end
  if not again then
    redis.call('HSET', user, mine, ms)
    redis.call('HSET', at, place, id .. ' ' .. session .. ' ' .. ms .. ' {"scope":' .. cjson.encode(scope) .. more .. '}')
  end
  if #others > 0 then
    return '', others
  end
  redis.call('SADD', online, raw)
  if again then
    return '', others
  end
  return event_of('user.online', id, rec, more), others
end

-- replacing leaves the signal that closes the connections of others, whose
-- effect is given up to their names and behind them. It returns the effect, or ''.
-- instead is a place of the arriving connection itself, which stays open.
local function replacing(outbox, others, effect_id, before, after, ms, instead)
  local names = {}
  for _, other in ipairs(others) do
    if other ~= instead then
      names[#names + 1] = other
    end
  end
  if #names == 0 or effect_id == '' then
    return ''
  end
  local effect = ms .. ' ' .. before .. '"' .. table.concat(names, '","') .. '"' .. after
  redis.call('HSETNX', outbox, effect_id, effect)
  return effect
end
