/**
 * A balancing algorithm of one's own: stays with a backend while it is at most
 * `slack` requests busier than the least busy one, so that few backends are
 * woken while load is low. In the pool: algorithm: { name: ./own-balancer.js, slack: 4 }
 *
 * Everything but `create` may be left out.
 */
export default {
  name: 'own-balancer',
  summary: 'Stays with a backend until it is clearly busier than the others.',

  /** Anything with parse(options): returns them checked, with defaults, or throws what is wrong. */
  options: {
    parse({ slack = 4, ...rest }) {
      if (!Number.isInteger(slack) || slack < 0) throw new Error('slack must be a whole number, 0 or more');
      if (Object.keys(rest).length > 0) throw new Error(`unknown: ${Object.keys(rest).join(', ')}`);
      return { slack };
    },
  },

  /** Called whenever the backends that may be picked change; each has address, weight, inFlight(), latencyUs(), latencyAgeMs(). */
  create(candidates, { slack }) {
    let current = 0;
    return {
      /** Called for every request: an index into the candidates, -1 only if all are passed over. Must not wait. */
      pick({ isPassedOver }) {
        let least = -1;
        for (let i = 0; i < candidates.length; i++) {
          if (isPassedOver?.(i)) continue;
          if (least === -1 || candidates[i].inFlight() < candidates[least].inFlight()) least = i;
        }
        if (least === -1) return -1;
        const isBusy = isPassedOver?.(current) || candidates[current].inFlight() > candidates[least].inFlight() + slack;
        if (isBusy) current = least;
        return current;
      },
    };
  },
};
