/** What the load bench sends: each scenario is one request, sent again and again. */

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent besides Host. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Bytes sent as a body. */
  readonly uploadBytes: number;
  /** Bytes of the answer's body; every answer is held against it. */
  readonly answerBytes: number;
  readonly connections: number;
  readonly newConnectionEach: boolean;
}

export const SMALL_BODY = 'hello from the origin\n';
export const WEBSOCKET_PATH = '/echo';
const KIB = 1024;
const MIB = 1024 * KIB;

/** What a browser sends: 12 fields, about 700 bytes with the request line. */
const browserFields = [
  ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'],
  ['Accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
  ['Accept-Language', 'en-GB,en;q=0.9,de;q=0.8'],
  ['Accept-Encoding', 'gzip, deflate, br, zstd'],
  ['Cache-Control', 'max-age=0'],
  ['Cookie', 'session=3f2a9c1e7b5d4860a1c2e3f405162738; theme=dark; consent=eyJhIjoxLCJiIjowfQ'],
  ['Referer', 'https://www.example.com/articles/2024/load-balancing-in-practice?page=2'],
  ['Sec-Fetch-Dest', 'document'],
  ['Sec-Fetch-Mode', 'navigate'],
  ['Sec-Fetch-Site', 'same-origin'],
  ['Upgrade-Insecure-Requests', '1'],
] as const;

const base = { method: 'GET', path: '/small', headers: [], uploadBytes: 0, answerBytes: SMALL_BODY.length, connections: 64, newConnectionEach: false } as const;

export const scenarios: readonly Scenario[] = [
  { ...base, name: 'small', summary: 'small answers over kept connections' },
  { ...base, name: 'browser', summary: 'heads as browsers send and sites answer them, 12 fields each way', path: '/browser', headers: browserFields },
  { ...base, name: 'connect', summary: 'a new connection for every request', newConnectionEach: true },
  { ...base, name: 'answer-64k', summary: 'answers of 64 KiB', path: '/64k', answerBytes: 64 * KIB, connections: 16 },
  { ...base, name: 'answer-1m', summary: 'answers of 1 MiB', path: '/1m', answerBytes: MIB, connections: 8 },
  { ...base, name: 'upload-1m', summary: 'uploads of 1 MiB', method: 'POST', path: '/upload', uploadBytes: MIB, answerBytes: String(MIB).length, connections: 8 },
];

export const defaultScenarios: readonly string[] = ['small', 'connect'];

export function findScenario(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario "${name}"; there are: ${scenarios.map((s) => s.name).join(', ')}`);
  return found;
}
