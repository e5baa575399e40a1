/** Which fields of a request a backend may see, told from the RFCs and the documented behaviour, not from the code under test. */
import { foldName, valuesOf, type StrictField, type StrictHead, type StrictRequest } from '../readers/strict-request.ts';
import { demand, demandSame } from './target.ts';
import { NEVER_TRAILS } from './trailers.ts';
import type { Setting } from './passed-on.ts';

/** Of this connection alone (RFC 9110 §7.6.1). */
export const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'http2-settings'];
/** Set by us, and so not to be spoofed. */
export const OURS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-request-id', 'forwarded', 'x-real-ip'];
/** A Connection field that names these does not take them away. */
const NOT_NOMINATED = ['content-length', 'host', 'expect', 'trailer', 'via', 'date', 'max-forwards', ...OURS];
/** Names whose disguise ("_" for "-") is taken for themselves by some origins. */
const DISGUISED = [...HOP_BY_HOP, ...OURS, 'content-length', 'max-forwards', 'proxy-authenticate', 'proxy-authorization'].filter((name) => name.includes('-'));

export function checkPassedFields(came: StrictHead, sent: StrictRequest, setting: Setting): void {
  const nominated = valuesOf(came.fields.filter(({ name }) => !name.includes('_')), 'connection').flatMap((value) => value.toLowerCase().split(',').map((member) => member.replace(/^[ \t]+|[ \t]+$/g, '')));
  checkNothingEndsHere(came, sent, nominated, setting);
  checkOthersPass(came, sent, nominated, setting);
  checkOwnFields(came, sent, setting);
  for (const { name } of sent.trailers) demand(!NEVER_TRAILS.has(foldName(name)) && !nominated.includes(name.toLowerCase()), `a trailer ${name} passed`);
  // One plain number, whatever white space and zeros came with it.
  if (came.contentLength >= 0) demand(sent.fields.some(({ name, value }) => name.toLowerCase() === 'content-length' && value === String(came.contentLength)), 'the length is not plain');
  const hops = valuesOf(came.fields.filter(({ name }) => !name.includes('_')), 'max-forwards');
  if (came.method === 'OPTIONS' && Number(hops[0]) > 0) demandSame(valuesOf(sent.fields, 'max-forwards').join(), String(Number(hops[0]) - 1), 'Max-Forwards');
}

function checkNothingEndsHere(came: StrictHead, sent: StrictRequest, nominated: readonly string[], setting: Setting): void {
  const upgrades = valuesOf(sent.fields, 'upgrade');
  demand(upgrades.length < 2 && !upgrades.join().toLowerCase().includes('h2c'), `upgrades passed: ${upgrades.join()}`);
  // TE is said for ourselves, to who said it, in both fields that it takes.
  const acceptsTrailers = came.minorVersion === 1 && nominated.includes('te') && valuesOf(came.fields, 'te').some((value) => value.toLowerCase().split(',').some((member) => member.replace(/^[ \t]+|[ \t]+$/g, '') === 'trailers'));
  demandSame(valuesOf(sent.fields, 'te').join('|'), acceptsTrailers ? 'trailers' : '', 'TE');
  demandSame(valuesOf(sent.fields, 'connection').join('|'), [...(acceptsTrailers ? ['TE'] : []), ...(upgrades.length === 1 ? ['upgrade'] : [])].join(', '), 'the connection field');
  for (const { name } of sent.fields) {
    const folded = foldName(name);
    const isEdit = setting.edits !== null && setting.edits.lines.some((line) => line.toString('latin1').toLowerCase().startsWith(`${folded}:`));
    demand(!['keep-alive', 'proxy-connection', 'http2-settings'].includes(folded), `hop-by-hop: ${name}`);
    demand(!(name.includes('_') && DISGUISED.includes(folded)), `a disguise passed: ${name}`);
    const isOwn = NOT_NOMINATED.includes(folded) || HOP_BY_HOP.includes(folded) || isEdit;
    demand(isOwn || !nominated.includes(name.toLowerCase()), `nominated in Connection, and passed: ${name}`);
  }
}

/** All else passes as it came and in its order. */
function checkOthersPass(came: StrictHead, sent: StrictRequest, nominated: readonly string[], setting: Setting): void {
  // Max-Forwards is counted down for OPTIONS; HTTP/1.0 has no Expect.
  const mayDiffer = new Set([...HOP_BY_HOP, ...OURS, 'host', 'via', 'content-length', ...(came.method === 'OPTIONS' ? ['max-forwards'] : []), ...(came.minorVersion === 0 ? ['expect'] : [])]);
  const isPlain = ({ name }: StrictField): boolean => !mayDiffer.has(foldName(name)) && !(name.includes('_') && DISGUISED.includes(foldName(name)));
  const isKept = (field: StrictField): boolean => isPlain(field) && (!nominated.includes(field.name.toLowerCase()) || NOT_NOMINATED.includes(field.name.toLowerCase())) && !(setting.edits?.names.has(foldName(field.name)) ?? false);
  const added = setting.edits?.lines.length ?? 0;
  const passed = sent.fields.filter(isPlain).slice(0, added === 0 ? undefined : -added);
  demandSame(show(passed), show(came.fields.filter(isKept)), 'the other fields');
}

function show(fields: readonly StrictField[]): string {
  return fields.map(({ name, value }) => `${name}: ${value}`).join('\n');
}

function checkOwnFields(came: StrictHead, sent: StrictRequest, { isTrusted, rewriteHost, edits, addsForwarded }: Setting): void {
  const authority = /^https?:\/\/([^/?]*)/i.exec(came.target)?.[1] ?? valuesOf(came.fields, 'host')[0] ?? '';
  demandSame(valuesOf(sent.fields, 'host').join('|'), rewriteHost ?? authority, 'the Host');
  if (isTrusted) {
    demandSame(valuesOf(sent.fields, 'x-forwarded-for').length, 1, 'the number of X-Forwarded-For');
    demand(valuesOf(sent.fields, 'x-forwarded-for')[0]!.endsWith('192.0.2.7'), 'X-Forwarded-For names the peer last');
    return;
  }
  const removed = (name: string): boolean => edits?.names.has(name) ?? false;
  demandSame(valuesOf(sent.fields, 'x-forwarded-for').join('|'), '192.0.2.7', 'X-Forwarded-For');
  demandSame(valuesOf(sent.fields, 'x-forwarded-proto').join('|'), removed('x-forwarded-proto') ? '' : 'http', 'X-Forwarded-Proto');
  demandSame(valuesOf(sent.fields, 'x-forwarded-port').join('|'), '8080', 'X-Forwarded-Port');
  demandSame(valuesOf(sent.fields, 'x-forwarded-host').join('|'), authority, 'X-Forwarded-Host');
  demand(/^[0-9a-f]{32}$/.test(valuesOf(sent.fields, 'x-request-id').join('|')), 'one X-Request-ID of ours');
  demandSame(valuesOf(sent.fields, 'x-real-ip').join('|'), '', 'X-Real-IP');
  demandSame(valuesOf(sent.fields, 'forwarded').length, addsForwarded ? 1 : 0, 'Forwarded');
}
