-- Put before the operations on roles: their records and acknowledgements (rules: role-records.ts).
--
-- A record is the entry `role POOL` of the table of verdicts: `PHASE EPOCH SINCE_MS ADDRESS`. Who has acknowledged it stands
-- in the hash of reports under the same name, a line each: `MEMBER INCARNATION EPOCH`. When a lease expired last is the
-- field ` expired` of the hash `state`.

local WAITED_FOR_MAX = 10

-- What is not of that form is missing.
local function readRole(pool)
  local phase, epoch, since, address = match(entryText('vrole ' .. pool) or '', '^(%l+) (%d+) (%d+) (.+)$')
  if epoch == nil or #epoch > 15 or #since > 15 or (phase ~= 'withdrawing' and phase ~= 'admitted') then return nil end
  return { phase = phase, epoch = tonumber(epoch), address = address }
end

local function roleChanged(pool, phase, epoch, address, by)
  clock.pending = '1'
  log(format('{"kind":"role","atMs":%.0f,"pool":%s,"epoch":%.0f,"phase":"%s","address":%s,"by":%s}', wallMs, cjson.encode(pool), epoch, phase, cjson.encode(address), cjson.encode(by)))
  publishHints()
end

local function writeRole(pool, phase, epoch, address, by)
  put('v', 'role ' .. pool, phase .. ' ' .. int(epoch) .. ' ' .. int(clock.tier) .. ' ' .. address)
  roleChanged(pool, phase, epoch, address, by)
end

local function withdrawRole(pool, after, address, by)
  call('HDEL', REPORTS, 'role ' .. pool)
  writeRole(pool, 'withdrawing', math.max(after + 1, wallMs), address, by)
end

local function removeRole(pool, epoch, by)
  call('HDEL', REPORTS, 'role ' .. pool)
  put('v', 'role ' .. pool, false)
  roleChanged(pool, 'gone', epoch, '', by)
end

local function acknowledgeRole(member, incarnation, pool, epoch, address)
  local record = readRole(pool)
  local known = record and record.epoch or 0
  if epoch < known then return end
  if epoch > known or record.address ~= address then return withdrawRole(pool, epoch, address, member) end
  local lines = { member .. ' ' .. incarnation .. ' ' .. int(epoch) }
  for line in (call('HGET', REPORTS, 'role ' .. pool) or ''):gmatch('[^\n]+') do
    if match(line, '^(%S+) ') ~= member then lines[#lines + 1] = line end
  end
  call('HSET', REPORTS, 'role ' .. pool, table.concat(lines, '\n'))
end

-- Living members that have not acknowledged this epoch, by name.
local function missingAcks(pool, epoch)
  local acks, missing = {}, {}
  for line in (call('HGET', REPORTS, 'role ' .. pool) or ''):gmatch('[^\n]+') do
    local id, of, acked = match(line, '^(%S+) (%S+) (%d+)$')
    if id and tonumber(acked) == epoch then acks[id] = of end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', '+inf')) do
    local record = readRecord(id)
    if record == nil or acks[id] ~= record.incarnation then missing[#missing + 1] = id end
  end
  table.sort(missing, isBelow)
  return missing
end
