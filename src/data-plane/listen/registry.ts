/** Every listener kind, by the name of its `protocol`: one file and one sorted line each. */
import { httpListener } from './http-listener.ts';
import type { ListenerKind } from './listener.ts';
import { tcpListener } from './tcp-listener.ts';
import { udpListener } from './udp-listener.ts';

export const listenerKinds: readonly ListenerKind[] = [
  httpListener,
  tcpListener,
  udpListener,
];

export function findListenerKind(name: string): ListenerKind | undefined {
  return listenerKinds.find((kind) => kind.name === name);
}
