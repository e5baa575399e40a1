-- TierStore.join. KEYS 1 to 10.
-- ARGV: 1 member  2 incarnation  3 previous or ''  4 leaseMs  5 record  6 protocol  7 protocolMin  8 history or ''
-- Answers { kind, … }: joined tierMs run | wait waitMs | taken | history HISTORY | protocol PROTOCOL.

local JOIN_EVERY_MS = 10
-- No proxy is told to wait longer for its turn to join, however many were told before it.
local JOIN_WAIT_MAX_MS = 10000

local member, incarnation, previous = ARGV[1], ARGV[2], ARGV[3]

local function admit()
  local head = readHead()
  if meta.protocol > 0 and (meta.protocol < tonumber(ARGV[7]) or meta.protocol > tonumber(ARGV[6])) then return { 'protocol', meta.protocol } end
  if head ~= nil and ARGV[8] ~= '' and head.history ~= ARGV[8] then return { 'history', head.history } end
  expireIfLapsed(member)
  local former = readRecord(member)
  local isOthers = former ~= nil and former.incarnation ~= previous and former.incarnation ~= incarnation
  if head == nil and ARGV[8] ~= '' and not isOthers then call('HSET', STATE, ' returned', int(clock.tier)) end
  -- The same join again, since its answer was lost or it was doubled on its way.
  if former ~= nil and former.incarnation == incarnation then return { 'joined', clock.tier, meta.run } end
  if call('ZSCORE', GONE, 'e' .. incarnation) or (former ~= nil and former.incarnation ~= previous) then return { 'taken' } end
  if clock.tier - meta.joinMs < JOIN_EVERY_MS then
    -- Each gets a turn of its own, or all who wait would come back at once and all but one wait again.
    meta.turnMs = math.min(math.max(meta.turnMs, meta.joinMs) + JOIN_EVERY_MS, clock.tier + JOIN_WAIT_MAX_MS)
    return { 'wait', math.max(1, meta.turnMs - clock.tier) }
  end
  meta.joinMs = clock.tier
  if meta.protocol == 0 then meta.protocol = tonumber(ARGV[7]) end
  if former ~= nil then endIncarnation(member, former, 'superseded') end
  local record = { incarnation = incarnation, number = -1, digest = 0, state = 'joining' }
  writeRecord(member, record)
  putMember(member, record, { since = '0', record = ARGV[5] })
  renew(member)
  logMember(member, incarnation, 'joined')
  return { 'joined', clock.tier, meta.run }
end

tick(tonumber(ARGV[4]), incarnation)
local answer = admit()
settle()
return answer
