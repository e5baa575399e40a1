/** Valid configs of every kind, as plain values in the form they are written in. */
import fc from 'fast-check';

const names = fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}$/);
const durations = fc.oneof(fc.constantFrom<string | number>(0, '1.5s', '2m', '1h', '1d'), fc.integer({ min: 1, max: 600 }).map((n) => `${n * 100}ms`));
const positive = durations.filter((duration) => duration !== 0);
const sizes = fc.constantFrom<string | number>(0, '64KiB', '1MB', '600B');
const shares = fc.integer({ min: 0, max: 100 }).map((n) => `${n}%`);
const counts = fc.integer({ min: 1, max: 1000 });
const hosts = fc.constantFrom('a.example.com', '*.b.example.com', 'c', '10.0.0.1', '[::1]');
const paths = fc.constantFrom<unknown>('/', '/v1', '/v1/a', { exact: '/x' }, { regex: '/v[0-9]+' });
const oneOrMany = <T>(item: fc.Arbitrary<T>) => fc.oneof(item, fc.array(item, { minLength: 1, maxLength: 3 }));
const some = <T extends Record<string, fc.Arbitrary<unknown>>>(keys: T) => fc.record(keys, { requiredKeys: [] });

const fieldRules = fc.dictionary(
  fc.constantFrom('x-a', 'B', 'c_d'),
  fc.oneof(fc.constantFrom<unknown>('1', 'true', '', { regex: 'a+' }, { present: true }, { present: false }), fc.constant(['a', { regex: 'b' }])),
  { minKeys: 1, maxKeys: 2 },
);
const match = some({ host: oneOrMany(hosts), path: oneOrMany(paths), method: oneOrMany(fc.constantFrom('GET', 'POST')), header: fieldRules, query: fieldRules, cookie: fieldRules, source: oneOrMany(fc.constantFrom('10.0.0.0/8', '::1')) });
const edits = some({ remove: fc.constantFrom<string[]>([], ['x-a', 'Y']), set: fc.dictionary(fc.constantFrom('x-a', 'X-B'), fc.constantFrom('', '1.10', 'a b')), add: fc.constant({ 'x-c': 'd' }) });

const route = (pools: readonly string[]) =>
  fc.tuple(
    some({ match, timeouts: some({ response: durations, idle: durations, total: durations }), requestHeaders: edits, responseHeaders: edits }),
    fc.oneof(
      fc.constantFrom(...pools).map((pool) => ({ pool, rewrite: { host: 'web.internal', path: '/y' } })),
      fc.constantFrom<unknown>({ redirect: { to: 'https://example.com/' } }, { redirect: { scheme: 'https', port: 8443, status: 308 } }, { respond: {} }, { respond: { status: 404, body: 'no: such\nthing' } }).map((action) => action as object),
    ),
  ).map(([rest, action]) => ({ ...rest, ...action }));

const backend = (address: string) =>
  fc.oneof(fc.constant(address), some({ weight: fc.integer({ min: 0, max: 1000 }), priority: fc.nat(5), state: fc.constantFrom('ready', 'drain', 'disabled') }).map((rest) => ({ address, ...rest })));

const pool = fc.record(
  {
    backends: fc.uniqueArray(fc.constantFrom('10.0.0.1:80', '[::1]:80', 'App.Internal:8080', 'b:1'), { maxLength: 4 }).chain((addresses) => fc.tuple(...addresses.map(backend))),
    algorithm: fc.constantFrom<unknown>('round-robin', 'ewma', { name: 'ring-hash', key: 'header:X-User', points: 3 }, { name: 'maglev', key: 'path' }, { name: 'power-of-two', choices: 3 }),
    proxyProtocol: fc.constantFrom<unknown>('off', false, 'v1', 'v2'),
    onDown: fc.constantFrom('keep', 'close'),
    health: fc.oneof(fc.constantFrom<unknown>('tcp', 'http', {}, ['tcp', { type: 'http', path: '/a' }], [{ type: 'postgres', user: 'a', role: 'primary' }]), some({ type: fc.constantFrom('http'), path: fc.constantFrom('/', '/up?x=1'), expect: fc.constantFrom<unknown>(200, '200-204', [200, '300-302']), port: counts, interval: positive, timeout: positive, rise: counts, fall: counts, fastInterval: positive })),
    outlier: fc.oneof(fc.constantFrom<unknown>('off', false), some({ consecutiveFailures: counts, ejectFor: positive, maxEjected: shares })),
    panicThreshold: shares,
    connections: some({ perBackend: fc.nat(100), connectTimeout: durations, idle: durations }),
  },
  { requiredKeys: ['backends'] },
);

const listener = (port: number, pools: readonly string[]) =>
  fc.record(
    {
      bind: fc.constantFrom<unknown>(`:${port}`, [`127.0.0.1:${port}`, `[::1]:${port}`]),
      trustedProxies: fc.constantFrom<string[]>([], ['10.1.0.0/8', '::1']),
      via: fc.boolean(),
      forwarded: fc.boolean(),
      proxyProtocol: fc.constantFrom<unknown>('off', false),
      limits: some({ connections: fc.nat(1000), headerSize: fc.constantFrom('1KiB', '64KiB'), headerCount: counts, bodySize: sizes }),
      timeouts: some({ header: durations, body: durations, send: durations, idle: durations, tunnel: durations }),
      pool: fc.constantFrom(...pools),
      routes: fc.array(route(pools), { maxLength: 4 }),
    },
    { requiredKeys: ['bind'] },
  );

const tcpListener = (port: number, pools: readonly string[]) =>
  fc.record(
    {
      bind: fc.constant(`:${port}`),
      protocol: fc.constant('tcp'),
      trustedProxies: fc.constant(['10.1.0.0/8']),
      proxyProtocol: fc.constantFrom<unknown>('off', false, 'accept', 'require'),
      limits: some({ connections: fc.nat(1000) }),
      timeouts: some({ header: durations, idle: durations }),
      sni: fc.dictionary(fc.constantFrom('a.example.com', '*.Example.com', '*.b.example.com', 'c'), fc.constantFrom(...pools)),
      routes: fc.array(fc.record({ match: some({ sni: oneOrMany(fc.constantFrom('a.example.com', '*.example.com')), alpn: oneOrMany(fc.constantFrom('h2', 'http/1.1')), source: fc.constant('::1') }), pool: fc.constantFrom(...pools) }, { requiredKeys: ['pool'] }), { maxLength: 3 }),
      pool: fc.constantFrom(...pools),
    },
    { requiredKeys: ['bind', 'protocol', 'trustedProxies'] },
  );

/** To a pool of its own: datagrams carry no PROXY header. */
const udpListener = (port: number) =>
  fc.record(
    { bind: fc.constant(`:${port}`), protocol: fc.constant('udp'), limits: some({ connections: fc.nat(1000), responses: fc.nat(3) }), timeouts: some({ idle: positive }), pool: fc.constant('datagrams') },
    { requiredKeys: ['bind', 'protocol'] },
  );

export const generatedConfigs = fc.uniqueArray(names, { minLength: 1, maxLength: 3 }).chain((pools) =>
  fc.record(
    {
      listeners: fc.tuple(listener(8080, pools), listener(8081, pools), tcpListener(8082, pools), udpListener(8082)).map(([web, other, tcp, udp]) => ({ web, other, tcp, udp })),
      pools: fc.tuple(...pools.map(() => pool)).map((values) => ({ ...Object.fromEntries(pools.map((name, index) => [name, values[index]])), datagrams: { backends: ['10.0.0.9:53'] } })),
      tier: some({ name: names, heartbeat: fc.constant('500ms'), probers: counts.filter((n) => n < 99) }),
      drain: some({ delay: durations, timeout: durations, removed: durations }),
      log: some({ level: fc.constantFrom('debug', 'error'), format: fc.constantFrom('json', 'text'), access: fc.constantFrom<unknown>('json', 'off', false, { format: 'common' }, { format: false }) }),
    },
    { requiredKeys: ['listeners', 'pools'] },
  ),
);
