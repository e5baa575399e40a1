-- TierStore.vote. KEYS 1 to 12. ARGV: 1 member  2 incarnation  3 number  4 text. Answers 1 if it was taken, else 0.

tick(nil, ARGV[2])
local taken = present(ARGV[1], ARGV[2]) ~= nil and call('HGET', CONFIG, 'voted') == ARGV[3]
if taken then call('HSET', VOTES, ARGV[1], ARGV[2] .. ' ' .. ARGV[4]) end
settle()
return taken and 1 or 0
