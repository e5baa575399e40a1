-- Put before every operation. What the tier has in Redis, and the steps that all operations share.
--
-- KEYS, all in the slot of `weir:{tier}` (an operation gets as many of them as it touches, in this order):
--   1 state        hash   ` clock`, ` meta`, ` watched`, ` suspected`, ` expired`, ` returned` (below), and by member the record of its calls:
--                         `INCARNATION NUMBER DIGEST STATE`
--   2 leases       zset   member by the tier time at which its lease ends
--   3 entries      hash   the three tables: `m` + member, `v` + check, `o` + operator key, to the entry's text
--   4 epochs       zset   the same names, and removed ones, by epoch (each table's from its own base)
--   5 gone         zset   removed names by epoch, TOMBSTONES_MAX of each table; and `e` + incarnations that ended
--   6 reports      hash   check to its standing reports, a line each: `MEMBER INCARNATION VERDICT AT_MS REASON`
--   7 beside       hash   member to what stands beside its record
--   8 suspicions   zset   check by the tier time until which another suspicion of it counts no more
--   9 log          list   texts, the newest last
--  10 config       hash   `head` `HISTORY NUMBER SHA TEXT`, `rollout` `NUMBER STEP STARTED_MS HISTORY SHA TEXT`,
--                         `used` and `voted` (numbers), and by number the versions: `SHA BYTES TEXT`
--  11 bytes        hash   number to the bytes of a version
--  12 votes        hash   member to `INCARNATION TEXT`, on the number `voted`
--  13 limits       zset   key of a shared limit by the tier time at which its bucket is full
--
-- ` wall`: wall time of the last step, written by each; tier time is that and TIER_LESS_WALL.
-- ` clock`: QUIET_UNTIL_WALL_MS TIER_LESS_WALL_MS LEASE_MS HOLD_UNTIL_MS CHECK_AT_MS PUBLISHED_MS PENDING WATCHED_UNTIL_MS,
-- of which a quiet heartbeat (quiet.lua) needs the first three and changes none: until QUIET_UNTIL no lease ends, nothing
-- waits to be published and nobody watches a pool.
-- ` meta`: META_FIELDS below, by spaces. It begins with run and epochs as a caller names what it has read, so that
-- a caller to whom nothing is new is known by comparing the beginnings of two strings.
-- ` expired`: the tier time at which a lease expired last. ` returned`: that at which one who
-- knows the tier from before it was emptied called or joined last, or, while there is no config, one whose lease had ended.
-- ` watched`: UNTIL_MS POOL, a line each. ` suspected`: checks that the next message names, a line each, or `*`: too many.
--
-- What is not of these forms is missing; where others of these values depend on it, the operation ends with GARBAGE, as
-- Redis itself ends it with WRONGTYPE for a key of a wrong type. The adapter then runs mend.lua, which drops the run with
-- all that was half done, and asks again.

local TOMBSTONES_MAX = 1000
local ENDED_MAX = 1000
local LOG_MAX = 10000
local EXPIRED_MAX = 50
local PUBLISH_EVERY_MS = 50
local PUBLISH_BYTES_MAX = 1024

local STATE, LEASES, ENTRIES, EPOCHS, GONE, REPORTS, BESIDE, SUSPICIONS, LOG, CONFIG, BYTES, VOTES, LIMITS = unpack(KEYS)
local call, format, match, floor = redis.call, string.format, string.match, math.floor

local META_FIELDS = { 'run', 'm', 'v', 'o', 'config', 'leaderLives', 'leader', 'leaderIncarnation', 'term', 'protocol', 'ready', 'failed',
  'mCount', 'mDigest', 'mFloor', 'vCount', 'vDigest', 'vFloor', 'oCount', 'oDigest', 'oFloor', 'joinMs', 'turnMs', 'hintV', 'asked', 'logId' }
-- `-` in those: none.
local META_TEXTS = { run = true, leader = true, leaderIncarnation = true, asked = true }
-- Scores are doubles: whole numbers up to 2^53. Each table has 2^50 epochs of its own, and so have ended incarnations.
local EPOCH_BASE = { m = 0, v = 1125899906842624, o = 2251799813685248, e = 3377699720527872 }

local meta, metaText, clock, clockText
local wallMs

local function spoilt(name) error('GARBAGE in ' .. name) end
local function int(number) return format('%.0f', number) end
local function entryHash(key, text) return tonumber(redis.sha1hex(key .. '\n' .. text):sub(1, 8), 16) end
local function epochScore(t, epoch) return int(EPOCH_BASE[t] + epoch) end

-- By bytes; Lua's own `<` goes by the server's locale.
local function isBelow(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = a:byte(i), b:byte(i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function parseMeta(text)
  local fields, i = {}, 0
  for word in text:gmatch('%S+') do
    i = i + 1
    local name = META_FIELDS[i]
    if name == nil then return nil end
    fields[name] = META_TEXTS[name] and word or tonumber(word)
    if fields[name] == nil then return nil end
  end
  return i == #META_FIELDS and fields or nil
end

local function textOfMeta()
  local words = {}
  -- Numbers below 10^14 are written whole.
  for i, name in ipairs(META_FIELDS) do words[i] = meta[name] end
  return table.concat(words, ' ')
end

local function parseClock(wall, text)
  local shift, lease, hold, check, published, pending, watched = match(text, '^%d+ (%-?%d+) (%d+) (%d+) (%d+) (%-?%d+) ([01]) (%d+)$')
  if shift == nil or not match(wall, '^%d+$') then return nil end
  return { wall = tonumber(wall), tier = wall + shift, lease = tonumber(lease), hold = tonumber(hold), check = tonumber(check), published = tonumber(published), pending = pending, watched = tonumber(watched) }
end

local function textOfClock()
  local shift, quietUntil = clock.tier - clock.wall, 0
  if clock.pending == '0' and clock.watched <= clock.tier then quietUntil = math.max(0, math.max(clock.check, clock.hold) - shift) end
  return format('%.0f %.0f %.0f %.0f %.0f %.0f %s %.0f', quietUntil, shift, clock.lease, clock.hold, clock.check, clock.published, clock.pending, clock.watched)
end

-- A run of its own: what is left of another is dropped, but for the config, which members would only have to bring back.
local function begin(seed)
  call('UNLINK', STATE, LEASES, ENTRIES, EPOCHS, GONE, REPORTS, BESIDE, SUSPICIONS, LOG)
  meta = {}
  for _, name in ipairs(META_FIELDS) do meta[name] = META_TEXTS[name] and '-' or 0 end
  meta.run = redis.sha1hex(seed .. wallMs)
  meta.joinMs, meta.turnMs = -1000, -1000
  if call('EXISTS', CONFIG) == 1 then meta.config = wallMs end
  clock = { wall = wallMs, tier = 1, hold = 0, check = 0, published = 1 - PUBLISH_EVERY_MS, pending = '0', lease = 3000, watched = 0 }
  metaText, clockText = '', ''
end

-- Reads where the tier stands. False: there is no tier yet.
local function look()
  local held = call('HMGET', STATE, ' wall', ' clock', ' meta')
  if not held[1] and not held[2] and not held[3] then return false end
  clock, meta, clockText, metaText = parseClock(held[1] or '', held[2] or ''), parseMeta(held[3] or ''), held[2], held[3]
  if clock == nil or meta == nil then spoilt('state') end
  return true
end

-- Advances tier time; `leaseMs` nil: the last caller's. `seed` goes into the id of a new run.
local function tick(leaseMs, seed)
  local time = call('TIME')
  wallMs = time[1] * 1000 + floor(time[2] / 1000)
  if not look() then
    begin(seed .. time[2])
    clock.lease = leaseMs or clock.lease
    return
  end
  clock.lease = leaseMs or clock.lease
  local step, most = wallMs - clock.wall, floor(clock.lease / 2)
  if step < 0 or step > most then
    clock.tier = clock.tier + (step > 0 and most or 0)
    clock.hold = clock.tier + clock.lease
  else
    clock.tier = clock.tier + step
  end
  clock.wall = wallMs
end

-- What a step changes in the tables and the log is written in one go, before it is read again and at its end: a command
-- costs more than what it does here.
local texts, scores, appeared, logged = {}, {}, {}, {}

local function log(text)
  meta.logId = meta.logId + 1
  logged[#logged + 1] = text
end

local function logMember(member, incarnation, change)
  log(format('{"kind":"member","atMs":%.0f,"member":%s,"incarnation":%s,"change":"%s"}', wallMs, cjson.encode(member), cjson.encode(incarnation), change))
end

local function entryText(field)
  local text = texts[field]
  if text == nil then
    text = call('HGET', ENTRIES, field)
    texts[field] = text
  end
  return text
end

-- Sets (text) or removes (false) an entry of table `t`; what is already so changes nothing.
local function put(t, key, text)
  local field = t .. key
  local former = entryText(field)
  if former == text then return false end
  local count, digest, epoch = meta[t .. 'Count'], meta[t .. 'Digest'], meta[t] + 1
  if former then count, digest = count - 1, digest - entryHash(key, former) else appeared[field] = true end
  if text then count, digest = count + 1, digest + entryHash(key, text) end
  meta[t], meta[t .. 'Count'], meta[t .. 'Digest'] = epoch, count, digest % 4294967296
  texts[field], scores[field] = text, epochScore(t, epoch)
  return true
end

local function forgetRemovals(t)
  local from, to = epochScore(t, 0), epochScore(t, meta[t])
  local excess = call('ZCOUNT', GONE, from, to) - TOMBSTONES_MAX
  if excess <= 0 then return end
  local oldest = call('ZRANGEBYSCORE', GONE, from, to, 'WITHSCORES', 'LIMIT', 0, excess)
  for i = 1, #oldest, 2 do
    call('ZREM', GONE, oldest[i])
    call('ZREM', EPOCHS, oldest[i])
  end
  meta[t .. 'Floor'] = tonumber(oldest[#oldest]) - EPOCH_BASE[t]
end

local function write()
  local epochs, set, removed, back, gone = {}, {}, {}, {}, {}
  for field, score in pairs(scores) do
    epochs[#epochs + 1], epochs[#epochs + 2] = score, field
    if texts[field] then
      set[#set + 1], set[#set + 2] = field, texts[field]
      if appeared[field] then back[#back + 1] = field end
    else
      removed[#removed + 1] = field
      gone[#gone + 1], gone[#gone + 2] = score, field
    end
  end
  scores, appeared = {}, {}
  if #epochs > 0 then call('ZADD', EPOCHS, unpack(epochs)) end
  if #set > 0 then call('HSET', ENTRIES, unpack(set)) end
  if #back > 0 then call('ZREM', GONE, unpack(back)) end
  if #removed > 0 then
    call('HDEL', ENTRIES, unpack(removed))
    call('ZADD', GONE, unpack(gone))
    for _, t in ipairs({ 'm', 'v', 'o' }) do forgetRemovals(t) end
  end
  if #logged > 0 then
    if call('RPUSH', LOG, unpack(logged)) > LOG_MAX then call('LTRIM', LOG, -LOG_MAX, -1) end
    logged = {}
  end
end

local function readRecord(member)
  local text = call('HGET', STATE, member)
  if not text then return nil end
  local incarnation, number, digest, state = match(text, '^(%S+) (%-?%d+) (%d+) (%l+)$')
  if incarnation == nil then spoilt('state') end
  return { incarnation = incarnation, number = tonumber(number), digest = tonumber(digest), state = state }
end

local function writeRecord(member, record)
  call('HSET', STATE, member, format('%s %.0f %.0f %s', record.incarnation, record.number, record.digest, record.state))
end

local function readMember(member)
  local since, record = match(entryText('m' .. member) or '', '^%l+ %S+ (%d+) (.*)$')
  if since == nil then spoilt('entries') end
  return { since = since, record = record }
end

local function countState(state, by)
  if state == 'ready' then meta.ready = meta.ready + by elseif state == 'failed' then meta.failed = meta.failed + by end
end

-- The record, if the incarnation is the living one of its id.
local function livingRecord(member, incarnation)
  local record = readRecord(member)
  if record == nil or record.incarnation ~= incarnation then return nil end
  return record
end

-- What ends with an incarnation, but for its entry. It is remembered for a while, so that a late copy of its join does not revive it.
local function endIncarnation(member, record, change)
  countState(record.state, -1)
  if meta.leader == member and meta.leaderIncarnation == record.incarnation then meta.leaderLives = 0 end
  call('HDEL', STATE, member)
  call('ZREM', LEASES, member)
  call('HDEL', BESIDE, member)
  logMember(member, record.incarnation, change)
  call('ZADD', GONE, int(EPOCH_BASE.e + meta.logId), 'e' .. record.incarnation)
  if call('ZCOUNT', GONE, int(EPOCH_BASE.e), '+inf') > ENDED_MAX then
    call('ZREM', GONE, call('ZRANGEBYSCORE', GONE, int(EPOCH_BASE.e), '+inf', 'LIMIT', 0, 1)[1])
  end
end

local function removeMember(member, change)
  local record = readRecord(member)
  if record ~= nil then endIncarnation(member, record, change) end
  if change == 'expired' then call('HSET', STATE, ' expired', int(clock.tier)) end
  -- A lease without a readable record would come up for ever.
  call('HDEL', STATE, member)
  call('ZREM', LEASES, member)
  put('m', member, false)
end

-- A lease that has ended counts as ended even if nobody has expired it yet.
local function expireIfLapsed(member)
  local deadline = call('ZSCORE', LEASES, member)
  if not deadline and readRecord(member) ~= nil then spoilt('leases') end
  if deadline and clock.tier >= clock.hold and tonumber(deadline) <= clock.tier then removeMember(member, 'expired') end
end

-- The caller's record, if its incarnation is the living one of its id.
local function present(member, incarnation)
  expireIfLapsed(member)
  return livingRecord(member, incarnation)
end

local function leads(member, incarnation)
  return present(member, incarnation) ~= nil and meta.leaderIncarnation == incarnation and meta.leader == member
end

-- Ends what has run out; the leases are looked at again when the next one may end.
local function expire()
  if clock.tier < clock.hold or clock.tier < clock.check then return end
  for _, member in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', int(clock.tier), 'LIMIT', 0, EXPIRED_MAX)) do removeMember(member, 'expired') end
  local first = call('ZRANGEBYSCORE', LEASES, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  clock.check = first[2] and tonumber(first[2]) or clock.tier
end

local function renew(member)
  local deadline = clock.tier + clock.lease
  if deadline < clock.check or clock.check == 0 then clock.check = deadline end
  call('ZADD', LEASES, int(deadline), member)
end

local function putMember(member, record, entry)
  put('m', member, record.state .. ' ' .. record.incarnation .. ' ' .. entry.since .. ' ' .. entry.record)
end

local function setState(member, record, state)
  if state == record.state then return end
  local entry = readMember(member)
  entry.since = state == 'ready' and int(clock.tier) or '0'
  countState(record.state, -1)
  countState(state, 1)
  record.state = state
  putMember(member, record, entry)
  if state ~= 'joining' then logMember(member, record.incarnation, state) end
end

-- Checks that are suspected since the last message, as JSON, and their bytes; nil: too many for a message.
local function hintedSuspicions()
  local suspected = call('HGET', STATE, ' suspected')
  if not suspected then return '[]', 0 end
  if suspected == '*' then return nil, 0 end
  local texts, bytes = {}, 0
  for check in suspected:gmatch('[^\n]+') do
    bytes = bytes + #check
    texts[#texts + 1] = cjson.encode(check)
  end
  return '[' .. table.concat(texts, ',') .. ']', bytes
end

-- Verdicts changed since the last message, as JSON; nil: too much for a message. No entry has less than three bytes.
local function hintedVerdicts(bytesLeft)
  if meta.hintV == meta.v then return '[]' end
  if meta.hintV < meta.vFloor then return nil end
  local most = floor(PUBLISH_BYTES_MAX / 3)
  local fields = call('ZRANGEBYSCORE', EPOCHS, '(' .. epochScore('v', meta.hintV), epochScore('v', meta.v), 'LIMIT', 0, most + 1)
  if #fields > most then return nil end
  local texts = {}
  for i, field in ipairs(fields) do
    local text = call('HGET', ENTRIES, field)
    bytesLeft = bytesLeft - (#field - 1) - (text and #text or 0)
    if bytesLeft < 0 then return nil end
    texts[i] = '[' .. cjson.encode(field:sub(2)) .. ',' .. (text and cjson.encode(text) or 'null') .. ']'
  end
  return '[' .. table.concat(texts, ',') .. ']'
end

-- Tells subscribers what this step and those before it changed, or leaves it for a later one.
local function publishHints()
  if clock.pending == '0' or clock.tier - clock.published < PUBLISH_EVERY_MS then return end
  write()
  local suspicions, bytes = hintedSuspicions()
  local verdicts = hintedVerdicts(PUBLISH_BYTES_MAX - bytes)
  local text = format('{"run":"%s","verdictsFrom":%.0f,"verdictsTo":%.0f,"verdicts":', meta.run, meta.hintV, meta.v) .. (verdicts or 'null')
    .. format(',"operatorStates":%.0f,"config":%.0f,"suspicions":', meta.o, meta.config) .. (suspicions or 'null') .. '}'
  call('PUBLISH', STATE:sub(1, -6) .. 'hints', text)
  call('HDEL', STATE, ' suspected')
  meta.hintV, meta.asked = meta.v, '-'
  clock.published, clock.pending = clock.tier, '0'
end

-- The end of every step that may have changed something.
local function settle()
  write()
  local changed = { ' wall', int(clock.wall) }
  local text, timeText = textOfMeta(), textOfClock()
  if timeText ~= clockText then changed[3], changed[4] = ' clock', timeText end
  if text ~= metaText then changed[#changed + 1], changed[#changed + 2] = ' meta', text end
  call('HSET', STATE, unpack(changed))
  metaText, clockText = text, timeText
end

-- What is no head is none; so with the rollout.
local function readHead()
  local text = call('HGET', CONFIG, 'head')
  if not text then return nil end
  local history, number, sha, rest = match(text, '^(%S+) (%d+) (%S+) (.*)$')
  if history == nil then return nil end
  return { history = history, number = tonumber(number), sha = sha, text = rest }
end

local function readRollout()
  local text = call('HGET', CONFIG, 'rollout')
  if not text then return nil end
  local number, step, started, history, sha, rest = match(text, '^(%d+) (%d+) (%d+) (%S+) (%S+) (.*)$')
  if number == nil then return nil end
  return { number = tonumber(number), step = tonumber(step), started = started, history = history, sha = sha, text = rest }
end

-- From the wall, so that an epoch lost in a failover is not given to another state: no digest would tell the two apart.
local function configChanged(number, change, by)
  meta.config = math.max(meta.config + 1, wallMs)
  log(format('{"kind":"config","atMs":%.0f,"number":%.0f,"change":"%s","by":%s}', wallMs, number, change, cjson.encode(by)))
  clock.pending = '1'
  publishHints()
end
