-- TierStore.step. KEYS 1 to 10.
-- ARGV: 1 member  2 incarnation  3 number  4 expectedStep  5 rollout ('' ends it, else `+` and its text)  6 headText ('' or `+` and the text)
-- Answers `done`, `not-leader` or `changed`.

local function step()
  if not leads(ARGV[1], ARGV[2]) then return 'not-leader' end
  local rollout = readRollout()
  if rollout == nil or rollout.number ~= tonumber(ARGV[3]) or rollout.step ~= tonumber(ARGV[4]) then return 'changed' end
  local change = 'stepped'
  if ARGV[5] == '' then
    call('HDEL', CONFIG, 'rollout')
    change = 'ended'
  else
    call('HSET', CONFIG, 'rollout', table.concat({ int(rollout.number), int(rollout.step + 1), rollout.started, rollout.history, rollout.sha, ARGV[5]:sub(2) }, ' '))
  end
  if ARGV[6] ~= '' then
    call('HSET', CONFIG, 'head', table.concat({ rollout.history, int(rollout.number), rollout.sha, ARGV[6]:sub(2) }, ' '))
    change = 'committed'
  end
  configChanged(rollout.number, change, ARGV[1])
  return 'done'
end

tick(nil, ARGV[2])
local answer = step()
settle()
return answer
