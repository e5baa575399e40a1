/**
 * `weir top`: the status again and again, with rates, on a terminal's second
 * screen. `q` or Ctrl-C ends it. A proxy that stops answering is said so and
 * asked on. Exit 0: ended by the person, 1: nobody answered the first time,
 * 2: no terminal.
 */
import { pause, systemClock, type Clock } from '../base/clock.ts';
import { statusAnswer } from '../control-plane/admin/answers.ts';
import { AdminClient, AdminError, withAdmin, type AdminFlags, type CommandOutput } from './admin-client.ts';
import { topLines, type Sample, type Screen } from './admin/top-view.ts';

const PERIOD_MS = 1000;
/** q, Q, Escape, Ctrl-C, Ctrl-D. */
const END_KEYS = new Set([0x71, 0x51, 0x1b, 0x03, 0x04]);
const ENTER_SCREEN = '\x1b[?1049h\x1b[?25l';
const LEAVE_SCREEN = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_REST_OF_LINE = '\x1b[K';
const CLEAR_BELOW = '\x1b[J';

export interface Terminal extends CommandOutput {
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean; readonly rows?: number; readonly columns?: number };
  readonly stdin: { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown; on(event: 'data', run: (keys: Buffer) => void): unknown; pause(): unknown; resume(): unknown };
}

export function topCommand(flags: AdminFlags, terminal: Terminal = process, clock: Clock = systemClock): Promise<number> {
  return withAdmin('top', terminal, async () => {
    if (terminal.stdout.isTTY !== true || terminal.stdin.isTTY !== true) throw new AdminError('a terminal is needed; weir status --json is for programs', 2);
    const client = new AdminClient(flags);
    const first = await sample(client, clock);
    const ended = keyPressed(terminal);
    terminal.stdout.write(ENTER_SCREEN);
    try {
      await refresh(client, terminal, clock, first, ended);
    } finally {
      terminal.stdout.write(LEAVE_SCREEN);
      terminal.stdin.setRawMode?.(false);
      terminal.stdin.pause();
    }
  });
}

async function refresh(client: AdminClient, terminal: Terminal, clock: Clock, first: Sample, ended: Promise<'ended'>): Promise<void> {
  let previous: Sample | null = null;
  let current = first;
  let trouble = '';
  while (true) {
    const screen: Screen = { rows: (terminal.stdout.rows ?? 24) - 1, columns: terminal.stdout.columns ?? 80 };
    const lines = topLines(previous, current, clock.wallMs(), screen);
    if (trouble !== '') lines[0] = trouble.slice(0, screen.columns);
    terminal.stdout.write(HOME + lines.map((line) => line + CLEAR_REST_OF_LINE).join('\r\n') + CLEAR_BELOW);
    if ((await Promise.race([ended, pause(clock, PERIOD_MS)])) === 'ended') return;
    try {
      const next = await sample(client, clock);
      previous = current;
      current = next;
      trouble = '';
    } catch (error) {
      if (!(error instanceof AdminError)) throw error;
      trouble = error.message;
    }
  }
}

async function sample(client: AdminClient, clock: Clock): Promise<Sample> {
  const status = await client.get('/api/v1/status', statusAnswer);
  return { status, atMs: clock.monotonicMs() };
}

function keyPressed({ stdin }: Terminal): Promise<'ended'> {
  stdin.setRawMode?.(true);
  stdin.resume();
  return new Promise((resolve) => {
    stdin.on('data', (keys) => {
      if (END_KEYS.has(keys[0] ?? 0)) resolve('ended');
    });
  });
}
