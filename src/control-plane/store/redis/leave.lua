-- TierStore.leave. KEYS 1 to 10. ARGV: 1 member  2 incarnation. Answers 1 if it was living, else 0.

tick(nil, ARGV[2])
local lives = present(ARGV[1], ARGV[2]) ~= nil
if lives then removeMember(ARGV[1], 'left') end
settle()
return lives and 1 or 0
