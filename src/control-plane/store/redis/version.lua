-- TierStore.version. KEYS 1 to 11. ARGV: 1 number. Answers { `SHA BYTES TEXT` or false, bytes or false }.

return { call('HGET', CONFIG, ARGV[1]), call('HGET', BYTES, ARGV[1]) }
