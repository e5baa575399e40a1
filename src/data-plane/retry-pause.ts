/** The time in which an exchange has no attempt under way, since its backend asked for it before the next. It ends by itself, or is forgotten with the exchange. */
import { Deadline } from '../base/timer-wheel.ts';
import type { Exchange } from './exchange.ts';

export class RetryPause extends Deadline {
  readonly #exchange: Exchange;
  readonly #onOver: (exchange: Exchange) => void;

  constructor(exchange: Exchange, onOver: (exchange: Exchange) => void) {
    super();
    this.#exchange = exchange;
    this.#onOver = onOver;
  }

  onDeadline(): void {
    this.#onOver(this.#exchange);
  }
}
