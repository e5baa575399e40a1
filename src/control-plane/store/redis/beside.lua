-- TierStore.beside. KEYS 1 to 10. ARGV: ids. Answers what stands beside each, or false.

return call('HMGET', BESIDE, unpack(ARGV))
