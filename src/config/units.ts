/**
 * Quantities with a unit: one number, one unit. Only 0, "no limit", stands
 * without one. Parsers take a scalar's value (text, or the number that a bare
 * one became), and the formatters give back text that parses to the same.
 */
export type Parsed<T> = { readonly ok: true; readonly value: T } | Refused;

export interface Refused {
  readonly ok: false;
  /** What is wrong. Holds the value as given: not to be shown if that was substituted. */
  readonly message: string;
  readonly expected: string;
  /** Only where nothing else can have been meant. */
  readonly suggestion?: string;
}

export interface Rate {
  readonly count: number;
  readonly periodMs: number;
}

/** Units of one kind, smallest first, as multiples of the first. */
type Units = readonly (readonly [name: string, factor: number])[];

interface Kind {
  readonly units: Units;
  readonly expected: string;
  /** Spellings that other tools use, and what they mean here. */
  readonly otherNames: Readonly<Record<string, string>>;
  readonly max: number;
  readonly maxText: string;
  /** What a value must be a whole number of. */
  readonly grain: string;
}

const DAY_MS = 86_400_000;

const durations: Kind = {
  units: [['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000], ['d', DAY_MS]],
  expected: 'a duration such as 500ms, 2s or 1m',
  otherNames: { msec: 'ms', millis: 'ms', sec: 's', secs: 's', second: 's', seconds: 's', min: 'm', mins: 'm', minute: 'm', minutes: 'm', hr: 'h', hour: 'h', hours: 'h', day: 'd', days: 'd' },
  max: 365 * DAY_MS,
  maxText: '365d',
  grain: 'milliseconds',
};

const sizes: Kind = {
  units: [['B', 1], ['KB', 1e3], ['KiB', 1024], ['MB', 1e6], ['MiB', 1024 ** 2], ['GB', 1e9], ['GiB', 1024 ** 3]],
  expected: 'a size such as 64KiB (1024) or 1MB (1000)',
  otherNames: { byte: 'B', bytes: 'B', k: 'KiB', m: 'MiB', g: 'GiB', ki: 'KiB', mi: 'MiB', gi: 'GiB' },
  max: 1024 ** 5,
  maxText: '1048576GiB',
  grain: 'bytes',
};

const SHARE_EXPECTED = 'a share such as 20%';
const RATE_EXPECTED = 'a rate such as 100/s, 10/m or 5/h';
const QUANTITY = /^([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)$/;

/** → milliseconds, a whole number. */
export function parseDuration(value: string | number): Parsed<number> {
  return parseQuantity(value, durations);
}

/** → bytes, a whole number. */
export function parseSize(value: string | number): Parsed<number> {
  return parseQuantity(value, sizes);
}

function parseQuantity(value: string | number, kind: Kind): Parsed<number> {
  if (isZero(value)) return { ok: true, value: 0 };
  const text = String(value);
  const match = QUANTITY.exec(text);
  const number = match?.[1];
  const unit = match?.[2];
  if (number === undefined || unit === undefined) return refuseForm(text, kind);
  const factor = kind.units.find(([name]) => name === unit)?.[1];
  if (factor === undefined) {
    const meant = meantUnit(unit, kind);
    return refuse(`\`${clip(unit)}\` is no unit here`, kind.expected, meant === null ? undefined : number + meant);
  }
  const exact = Number(number) * factor;
  const whole = Math.round(exact);
  // Binary fractions miss a decimal by a hair: 1.1s is 1100.0000000000002 ms.
  if (Math.abs(exact - whole) > 1e-9 * Math.max(1, exact)) return refuse(`\`${clip(text)}\` is not a whole number of ${kind.grain}`, kind.expected);
  if (whole > kind.max) return refuse(`\`${clip(text)}\` is more than ${kind.maxText}`, `${kind.expected}, ${kind.maxText} at most`);
  return { ok: true, value: whole };
}

/** Says why text is not one number and one unit. */
function refuseForm(text: string, kind: Kind): Refused {
  const units = kind.units.map(([name]) => name).join(' ');
  if (/^[0-9]+(\.[0-9]+)?$/.test(text)) return refuse(`\`${clip(text)}\` has no unit`, `${kind.expected}; only 0, no limit, needs no unit`);
  if (/^-/.test(text)) return refuse(`\`${clip(text)}\` is negative`, kind.expected);
  const spaced = text.trim().replace(/\s+/g, '');
  if (spaced !== text && parseQuantity(spaced, kind).ok) return refuse(`\`${clip(text)}\` holds a space`, kind.expected, spaced);
  const total = sumOfParts(text, kind);
  if (total !== null) return refuse(`\`${clip(text)}\` has more than one unit`, `${kind.expected}: one number, one unit`, formatQuantity(total, kind));
  return refuse(`\`${clip(text)}\` is not one number and one unit`, `${kind.expected} (${units})`);
}

/** What `1h30m` adds up to; null if it is not several quantities. */
function sumOfParts(text: string, kind: Kind): number | null {
  const parts = text.match(/[0-9]+(?:\.[0-9]+)?[A-Za-z]+/g) ?? [];
  if (parts.length < 2 || parts.join('') !== text) return null;
  let total = 0;
  for (const part of parts) {
    const parsed = parseQuantity(part, kind);
    if (!parsed.ok) return null;
    total += parsed.value;
  }
  return total;
}

/** The unit that another spelling of it must mean. */
function meantUnit(unit: string, kind: Kind): string | null {
  const known = Object.hasOwn(kind.otherNames, unit.toLowerCase()) ? kind.otherNames[unit.toLowerCase()] : undefined;
  if (known !== undefined) return known;
  return kind.units.find(([name]) => name.toLowerCase() === unit.toLowerCase())?.[0] ?? null;
}

/** → 0 to 1. */
export function parseShare(value: string | number): Parsed<number> {
  if (isZero(value)) return { ok: true, value: 0 };
  const text = String(value);
  const percent = /^([0-9]+(?:\.[0-9]+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) {
    const share = Number(percent) / 100;
    return share <= 1 ? { ok: true, value: share } : refuse(`\`${clip(text)}\` is more than the whole`, `${SHARE_EXPECTED}, 100% at most`);
  }
  const bare = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(bare)) return refuse(`\`${clip(text)}\` is no share`, SHARE_EXPECTED);
  // Below 1 only the fraction can be meant, above 1 only the percentage; 1 may be either.
  const meant = bare === 1 || bare > 100 ? undefined : bare < 1 ? formatShare(bare) : `${text}%`;
  return refuse(`\`${clip(text)}\` has no unit`, SHARE_EXPECTED, meant);
}

const periods: Units = [['s', 1000], ['m', 60_000], ['h', 3_600_000]];

/** → a count per period. 0 is a count of 0, no limit. */
export function parseRate(value: string | number): Parsed<Rate> {
  if (isZero(value)) return { ok: true, value: { count: 0, periodMs: 1000 } };
  const text = String(value);
  const match = /^([0-9]+(?:\.[0-9]+)?)\/([a-z]+)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    return refuse(/^[0-9.]+$/.test(text) ? `\`${clip(text)}\` has no period` : `\`${clip(text)}\` is no rate`, RATE_EXPECTED);
  }
  const unit = match[2];
  const periodMs = periods.find(([name]) => name === unit)?.[1];
  if (periodMs === undefined) {
    const meant = meantUnit(unit, durations);
    const isPeriod = periods.some(([name]) => name === meant);
    return refuse(`\`${clip(unit)}\` is no period here`, RATE_EXPECTED, meant !== null && isPeriod ? `${match[1]}/${meant}` : undefined);
  }
  const count = Number(match[1]);
  return count <= 1e9 ? { ok: true, value: { count, periodMs } } : refuse(`\`${clip(text)}\` is too much`, RATE_EXPECTED);
}

export function formatDuration(ms: number): string {
  return formatQuantity(ms, durations);
}

export function formatSize(bytes: number): string {
  return formatQuantity(bytes, sizes);
}

export function formatShare(share: number): string {
  return `${Number((share * 100).toPrecision(12))}%`;
}

export function formatRate(rate: Rate): string {
  if (rate.count === 0) return '0';
  const unit = periods.find(([, periodMs]) => periodMs === rate.periodMs);
  return unit === undefined ? `${Number(((rate.count * 1000) / rate.periodMs).toPrecision(12))}/s` : `${rate.count}/${unit[0]}`;
}

/** The largest unit that gives at least 1 with one decimal at most; the smallest always does. */
function formatQuantity(value: number, kind: Kind): string {
  if (value === 0) return '0';
  for (const [name, factor] of kind.units.toReversed()) {
    const tenths = (value * 10) / factor;
    if (tenths >= 10 && Number.isInteger(tenths)) return `${tenths / 10}${name}`;
  }
  return `${value}${kind.units[0]?.[0] ?? ''}`;
}

function isZero(value: string | number): boolean {
  return value === 0 || value === '0';
}

function refuse(message: string, expected: string, suggestion?: string): Refused {
  return { ok: false, message, expected, ...(suggestion === undefined ? {} : { suggestion }) };
}

function clip(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
