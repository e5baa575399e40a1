/**
 * A reason for people: our own words, and behind them words of a backend's, on
 * one readable line of bounded length, without the secrets that the probe sent.
 * A server that does not know a command may well repeat it, password and all.
 */

/** Reasons go into status, logs and the tier's store, for each backend. */
const REASON_TEXT_MAX = 120;
const MASK = '***';

/** `said`: the backend's; only there are secrets looked for. */
export function reasonText(reason: string, said = '', secrets: readonly string[] = []): string {
  let shown = said;
  // The longer first: one may be a part of another.
  for (const secret of secrets.filter((secret) => secret !== '').sort((a, b) => b.length - a.length)) shown = shown.replaceAll(secret, MASK);
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const text = `${reason} ${shown}`.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return text.length <= REASON_TEXT_MAX ? text : `${text.slice(0, REASON_TEXT_MAX)}…`;
}
