-- Put before publish.lua and restore.lua, after the prelude: which versions are kept, and on which one votes are.

local function keepVersion(number, sha, text, bytes)
  call('HSET', CONFIG, int(number), sha .. ' ' .. #bytes .. ' ' .. text)
  call('HSET', BYTES, int(number), bytes)
end

-- The oldest go first; the head's and the one that is being rolled out stay.
local function dropVersions(countMax, bytesMax)
  local head, rollout = readHead(), readRollout()
  local numbers, sizes, count, bytes = {}, {}, 0, 0
  local held = call('HGETALL', CONFIG)
  for i = 1, #held, 2 do
    local number, size = tonumber(match(held[i], '^%d+$')), tonumber(match(held[i + 1], '^%S+ (%d+) '))
    if number and size then
      numbers[#numbers + 1], sizes[number], count, bytes = number, size, count + 1, bytes + size
    end
  end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    if count <= tonumber(countMax) and bytes <= tonumber(bytesMax) then return end
    if not (head and head.number == number) and not (rollout and rollout.number == number) then
      call('HDEL', CONFIG, int(number))
      call('HDEL', BYTES, int(number))
      count, bytes = count - 1, bytes - sizes[number]
    end
  end
end

local function startVotes(number)
  call('UNLINK', VOTES)
  call('HSET', CONFIG, 'voted', int(number))
end
