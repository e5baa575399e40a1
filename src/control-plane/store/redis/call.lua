-- TierStore.call. KEYS 1 to 10.
-- ARGV: 1 member  2 incarnation  3 number  4 leaseMs  5 probers
--   6 `RUN MEMBERS VERDICTS OPERATOR_STATES CONFIG ` (what the caller has read, a space at the end) or ''
--   7 reportsDigest or ''
--   8 '' or JSON of what is said: state, record (absent: as before), reports [[check, verdict or '', atMs, reason]],
--     suspicions [check], suspicionEveryMs, operatorStates [[key, stampMs, by, text]]; numbers as strings
--   9 beside: '' (as before) or `+` and its text
-- Answers as quiet.lua says when nothing is new, else
--   { meta, tierMs, state or '' (not living), reportsDiffer, publishInMs or -1, watched, members, verdicts, operatorStates, config or false }
--   with a table as { whole, more, epoch, key, text or false, … }, and config as { head or '', rollout or '' }.

local CHANGES_MAX = 500
local ANSWER_BYTES_MAX = 65536
local READ_AT_ONCE = 100

local member, incarnation, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
local said = ARGV[8] ~= '' and cjson.decode(ARGV[8]) or {}

-- Living incarnations by member, as far as they were asked for in this call.
local incarnations = {}
local function incarnationOf(id)
  local known = incarnations[id]
  if known == nil then
    known = match(call('HGET', STATE, id) or '', '^(%S+)') or ''
    incarnations[id] = known
  end
  return known
end

-- Lines of standing reports by check, as read or to be written.
local reportLines, reportsChanged = {}, {}

local function readAhead(reports)
  local checks, fields = {}, {}
  for i, report in ipairs(reports) do checks[i], fields[i] = report[1], 'v' .. report[1] end
  local lines, entries = call('HMGET', REPORTS, unpack(checks)), call('HMGET', ENTRIES, unpack(fields))
  for i, check in ipairs(checks) do
    reportLines[check] = lines[i] or ''
    -- What this step has changed already is newer.
    if texts[fields[i]] == nil then texts[fields[i]] = entries[i] end
  end
end

local function writeReports()
  local set, removed = {}, {}
  for check in pairs(reportsChanged) do
    local lines = reportLines[check]
    if lines == '' then removed[#removed + 1] = check else set[#set + 1], set[#set + 2] = check, lines end
  end
  if #set > 0 then call('HSET', REPORTS, unpack(set)) end
  if #removed > 0 then call('HDEL', REPORTS, unpack(removed)) end
end

-- Standing reports of living incarnations, without the caller's, which is given beside them.
local function standingReports(check)
  local reports, own = {}, nil
  for line in reportLines[check]:gmatch('[^\n]+') do
    local id, of, verdict, atMs, reason = match(line, '^(%S+) (%S+) (%S+) (%d+) (.*)$')
    if id == member and of == incarnation then
      own = verdict
    elseif id and id ~= member and incarnationOf(id) == of then
      reports[#reports + 1] = { id = id, verdict = verdict, reason = reason, line = line }
    end
  end
  return reports, own
end

-- As JSON. Of a call's reports most name the same members and give the same reason.
local quoted = {}
local function quote(text)
  local known = quoted[text]
  if known == nil then
    known = cjson.encode(text)
    quoted[text] = known
  end
  return known
end

local function logVerdict(check, from, to, reports)
  if #reports > 1 then table.sort(reports, function(a, b) return isBelow(a.id, b.id) end) end
  local who = {}
  for i, report in ipairs(reports) do who[i] = '[' .. quote(report.id) .. ',' .. quote(report.verdict) .. ',' .. quote(report.reason) .. ']' end
  log('{"kind":"verdict","atMs":' .. int(wallMs) .. ',"check":' .. cjson.encode(check) .. ',"from":' .. (from and '"' .. from .. '"' or 'null') .. ',"to":"' .. to .. '","who":[' .. table.concat(who, ',') .. ']}')
end

local function judge(check, verdict, atMs, reason, reports)
  local former = match(entryText('v' .. check) or '', '^(%l+) %d+ %S+ ')
  if former == verdict then return end
  local agreeing = {}
  for _, report in ipairs(reports) do if report.verdict == verdict then agreeing[#agreeing + 1] = report.id end end
  local quorum = floor(math.max(1, math.min(tonumber(ARGV[5]), meta.ready)) / 2) + 1
  if former ~= nil and #agreeing < quorum then return end
  if #agreeing > 1 then table.sort(agreeing, isBelow) end
  put('v', check, verdict .. ' ' .. atMs .. ' ' .. table.concat(agreeing, ',') .. ' ' .. reason)
  clock.pending = '1'
  logVerdict(check, former, verdict, reports)
end

local function takeReport(record, check, verdict, atMs, reason)
  local reports, own = standingReports(check)
  if own then record.digest = (record.digest - entryHash(check, own)) % 4294967296 end
  if verdict ~= '' then
    record.digest = (record.digest + entryHash(check, verdict)) % 4294967296
    local line = member .. ' ' .. incarnation .. ' ' .. verdict .. ' ' .. atMs .. ' ' .. reason
    reports[#reports + 1] = { id = member, verdict = verdict, reason = reason, line = line }
  end
  local lines = {}
  for i, report in ipairs(reports) do lines[i] = report.line end
  reportLines[check], reportsChanged[check] = table.concat(lines, '\n'), true
  if verdict ~= '' then judge(check, verdict, atMs, reason, reports) end
end

local function takeOperatorState(key, stampMs, by, text)
  local formerStamp, formerBy = match(entryText('o' .. key) or '', '^(%d+) (%S+) ')
  local stamp, former = tonumber(stampMs), tonumber(formerStamp)
  if former ~= nil and (former > stamp or (former == stamp and not isBelow(formerBy, by))) then return end
  if not put('o', key, text) then return end
  clock.pending = '1'
  log(format('{"kind":"operator","atMs":%.0f,"key":%s,"by":%s}', wallMs, cjson.encode(key), cjson.encode(by)))
end

-- Those that count now; older ones that count again are forgotten.
local function takeSuspicions()
  call('ZREMRANGEBYSCORE', SUSPICIONS, '-inf', int(clock.tier))
  local untilMs = int(clock.tier + tonumber(said.suspicionEveryMs))
  local suspected = call('HGET', STATE, ' suspected') or ''
  local before = suspected
  for _, check in ipairs(said.suspicions) do
    if not call('ZSCORE', SUSPICIONS, check) then
      call('ZADD', SUSPICIONS, untilMs, check)
      suspected = suspected == '*' and suspected or suspected == '' and check or suspected .. '\n' .. check
      -- The line ends count in favour of the message.
      if #suspected > PUBLISH_BYTES_MAX then suspected = '*' end
      clock.pending = '1'
    end
  end
  if suspected ~= before then call('HSET', STATE, ' suspected', suspected) end
end

local function takeWhatIsSaid(record)
  if ARGV[9] ~= '' then call('HSET', BESIDE, member, ARGV[9]:sub(2)) end
  if said.record then putMember(member, record, { since = readMember(member).since, record = said.record }) end
  if said.state then setState(member, record, said.state) end
  if record.state == 'ready' and meta.leaderLives == 0 then
    meta.leader, meta.leaderIncarnation, meta.leaderLives, meta.term = member, incarnation, 1, meta.term + 1
    log(format('{"kind":"leader","atMs":%.0f,"member":%s,"term":%.0f}', wallMs, cjson.encode(member), meta.term))
  end
  if said.reports then
    if record.digest ~= 0 and call('EXISTS', REPORTS) == 0 then spoilt('reports') end
    readAhead(said.reports)
    for _, report in ipairs(said.reports) do takeReport(record, report[1], report[2], report[3], report[4]) end
    writeReports()
  end
  if said.suspicions then takeSuspicions() end
  for _, entry in ipairs(said.operatorStates or {}) do takeOperatorState(entry[1], entry[2], entry[3], entry[4]) end
end

-- Whoever reads from the beginning would find out by the digest, and again and again.
local function checkTables()
  local count = meta.mCount + meta.vCount + meta.oCount
  if call('HLEN', ENTRIES) ~= count then spoilt('entries') end
  if call('ZCARD', EPOCHS) ~= count + call('ZCOUNT', GONE, '-inf', '(' .. int(EPOCH_BASE.e)) then spoilt('epochs') end
end

local function checkPage(t, page)
  local digest = 0
  for i = 4, #page, 2 do digest = digest + entryHash(page[i], page[i + 1]) end
  if digest % 4294967296 ~= meta[t .. 'Digest'] then spoilt('entries') end
end

local room, bytesLeft, told = CHANGES_MAX, ANSWER_BYTES_MAX, 0

-- Entries of one table after epoch `from` (nil: nothing was read). The pages of a whole reading may lie below the floor;
-- until its last page such a reader is given the negative of the epoch it has come to.
local function changesOf(t, from)
  local epoch, reading = meta[t], from ~= nil and from < 0
  local upTo = from and math.abs(from) or 0
  local whole = from == nil or upTo > epoch or (not reading and upTo < meta[t .. 'Floor'])
  if whole then
    upTo = 0
    checkTables()
  end
  local page, more, looked = { whole and 1 or 0, 0, epoch }, false, upTo
  while looked < epoch and not more do
    local fields = call('ZRANGEBYSCORE', EPOCHS, '(' .. epochScore(t, looked), epochScore(t, epoch), 'WITHSCORES', 'LIMIT', 0, math.min(room + 1, READ_AT_ONCE))
    if #fields == 0 then break end
    local names = {}
    for i = 1, #fields, 2 do names[#names + 1] = fields[i] end
    local found = call('HMGET', ENTRIES, unpack(names))
    for i, name in ipairs(names) do
      local text = found[i]
      looked = tonumber(fields[2 * i]) - EPOCH_BASE[t]
      if text or not whole then
        local bytes = #name - 1 + (text and #text or 0)
        if room == 0 or (told > 0 and bytes > bytesLeft) then
          room, more = 0, true
          break
        end
        room, bytesLeft, told = room - 1, bytesLeft - bytes, told + 1
        page[#page + 1], page[#page + 2] = name:sub(2), text
        upTo = looked
      end
    end
  end
  if more then page[2], page[3] = 1, (whole or reading) and -upTo or upTo elseif whole then checkPage(t, page) end
  return page
end

local function watchedPools()
  if clock.watched == 0 then return '' end
  local pools = {}
  for untilMs, pool in (call('HGET', STATE, ' watched') or ''):gmatch('(%d+) ([^\n]+)') do if tonumber(untilMs) > clock.tier then pools[#pools + 1] = pool end end
  if #pools == 0 then
    call('HDEL', STATE, ' watched')
    clock.watched = 0
  end
  return table.concat(pools, '\n')
end

tick(tonumber(ARGV[4]), incarnation)
local record = present(member, incarnation)
local answer = { '', clock.tier, record and record.state or '', 0, -1, '', 0, 0, 0, false }
if record == nil then
  local run = match(ARGV[6], '^%S+')
  if readHead() == nil or (run ~= nil and run ~= meta.run) then call('HSET', STATE, ' returned', int(clock.tier)) end
else
  if number > record.number then
    record.number = number
    renew(member)
    expire()
    takeWhatIsSaid(record)
    writeRecord(member, record)
    publishHints()
    answer[3] = record.state
    if ARGV[7] ~= '' and ARGV[7] ~= int(record.digest) then answer[4] = 1 end
    -- One alone is asked to come back for what waits, or each of a thousand would.
    if clock.pending == '1' and (meta.asked == '-' or meta.asked == member or incarnationOf(meta.asked) == '') then
      meta.asked = member
      answer[5] = math.max(1, clock.published + PUBLISH_EVERY_MS - clock.tier)
    end
  end
  write()
  local run, m, v, o, config = match(ARGV[6], '^(%S+) (%-?%d+) (%-?%d+) (%-?%d+) (%d+) $')
  if run ~= meta.run then m, v, o, config = nil, nil, nil, nil end
  answer[6] = watchedPools()
  answer[7], answer[8], answer[9] = changesOf('m', tonumber(m)), changesOf('v', tonumber(v)), changesOf('o', tonumber(o))
  if tonumber(config) ~= meta.config then answer[10] = call('HMGET', CONFIG, 'head', 'rollout') end
end
settle()
answer[1] = metaText
return answer
