/**
 * Loaded before a proxy (`node --import`), it makes it one of another release:
 * the protocol that the sources name becomes `WEIR_OTHER_RELEASE`, its own and
 * the oldest it speaks (`2 1`). All else is this release, as what protocols
 * differ in there is none yet.
 */
import { registerHooks } from 'node:module';

const [own, oldest] = (process.env['WEIR_OTHER_RELEASE'] ?? '').split(' ');

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.includes('/src/control-plane/store/') || loaded.source === undefined || loaded.source === null) return loaded;
    const source = typeof loaded.source === 'string' ? loaded.source : Buffer.from(loaded.source as Uint8Array).toString();
    const spoken = source.replace(/(export const PROTOCOL =) \d+;/, `$1 ${own};`).replace(/(export const PROTOCOL_MIN =) \d+;/, `$1 ${oldest};`);
    return { ...loaded, source: spoken };
  },
});
