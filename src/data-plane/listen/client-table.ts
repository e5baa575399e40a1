/**
 * Sessions of one local address by who sends: address, then port. Asked for
 * every datagram, so no key is put together; and what the maps hold are slots
 * that are emptied, because a map that grew leaves its former table behind,
 * which would keep dead sessions alive until a full collection (see AgeList).
 */
class PortSlot<Session> {
  session: Session | null = null;
}

class AddressSlot<Session> {
  /** Most addresses have one port; `more` holds any further ones. */
  port = -1;
  session: Session | null = null;
  more: Map<number, PortSlot<Session>> | null = null;
}

export class ClientTable<Session> {
  readonly #addresses = new Map<string, AddressSlot<Session>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(address: string, port: number): Session | null {
    const slot = this.#addresses.get(address);
    if (slot === undefined) return null;
    if (slot.port === port) return slot.session;
    return slot.more?.get(port)?.session ?? null;
  }

  /** Nothing is there for this client. */
  add(address: string, port: number, session: Session): void {
    this.#size++;
    let slot = this.#addresses.get(address);
    if (slot === undefined) this.#addresses.set(address, (slot = new AddressSlot()));
    if (slot.session === null) {
      slot.port = port;
      slot.session = session;
      return;
    }
    const further = new PortSlot<Session>();
    further.session = session;
    (slot.more ??= new Map()).set(port, further);
  }

  delete(address: string, port: number): void {
    const slot = this.#addresses.get(address);
    if (slot === undefined) return;
    if (slot.port === port) {
      slot.port = -1;
      slot.session = null;
    } else {
      const further = slot.more?.get(port);
      if (further === undefined) return;
      further.session = null;
      slot.more!.delete(port);
    }
    this.#size--;
    if (slot.session === null && (slot.more === null || slot.more.size === 0)) this.#addresses.delete(address);
  }

  /** A copy: they may be deleted meanwhile. */
  all(): readonly Session[] {
    const sessions: Session[] = [];
    for (const { session, more } of this.#addresses.values()) {
      if (session !== null) sessions.push(session);
      for (const further of more?.values() ?? []) if (further.session !== null) sessions.push(further.session);
    }
    return sessions;
  }
}
