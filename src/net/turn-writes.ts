/**
 * Writes of one turn of the loop, made together at its end: what several
 * answers put into one connection leaves in one system call. One list serves
 * all connections of a thread.
 */

/** Whoever has something to write at the end of the turn. */
export interface TurnWriter {
  flush(): void;
}

let writers: TurnWriter[] = [];

function endTurn(): void {
  const due = writers;
  writers = [];
  for (const writer of due) writer.flush();
}

/** `writer.flush` is called once, at the end of this turn. The caller asks once a turn. */
export function flushLater(writer: TurnWriter): void {
  if (writers.length === 0) setImmediate(endTurn);
  writers.push(writer);
}
