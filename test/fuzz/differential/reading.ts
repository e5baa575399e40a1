/** What a program made of a client's bytes: the requests it saw, and how it ended. */

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly (readonly [string, string])[];
  /** Chunks taken off. */
  readonly body: string;
}

export interface Reading {
  readonly requests: readonly ReadRequest[];
  /** `whole`: nothing was left over, or the last request ended the connection. `switched`: another protocol was agreed. */
  readonly end: 'whole' | 'incomplete' | 'refused' | 'switched';
  /** Of a refusal: the reader's own word for it. */
  readonly detail: string;
}
