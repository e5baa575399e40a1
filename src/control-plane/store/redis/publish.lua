-- TierStore.publish. KEYS 1 to 12.
-- ARGV: 1 member  2 incarnation  3 history  4 parentSha or ''  5 number  6 sha  7 version  8 rollout  9 bytes
--   10 VERSIONS_MAX  11 VERSION_BYTES_MAX
-- Answers { kind, … }: started NUMBER | same NUMBER | stale HEAD or '' | busy NUMBER | number USED | not-living.

local number, sha = tonumber(ARGV[5]), ARGV[6]

local function start()
  if present(ARGV[1], ARGV[2]) == nil then return { 'not-living' } end
  local head, rollout = readHead(), readRollout()
  if head ~= nil and head.sha == sha then return { 'same', head.number } end
  if (head and head.sha or '') ~= ARGV[4] then return { 'stale', call('HGET', CONFIG, 'head') or '' } end
  if rollout ~= nil then return { 'busy', rollout.number } end
  local used = tonumber(call('HGET', CONFIG, 'used') or 0) or 0
  if number <= used then return { 'number', used } end
  keepVersion(number, sha, ARGV[7], ARGV[9], ARGV[10], ARGV[11])
  call('HSET', CONFIG, 'used', int(number), 'rollout', table.concat({ int(number), '1', int(clock.tier), head and head.history or ARGV[3], sha, ARGV[8] }, ' '))
  dropVersions(ARGV[10], ARGV[11])
  startVotes(number)
  configChanged(number, 'published', ARGV[1])
  return { 'started', number }
end

tick(nil, ARGV[2])
local answer = start()
settle()
return answer
