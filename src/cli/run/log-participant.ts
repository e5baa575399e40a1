/** The process's own log as a config has it: level and format from the moment the config takes effect. */
import type { RolloutParticipant } from '../../control-plane/rollout/apply.ts';
import type { ProcessLog } from '../../observe/log.ts';

export function logParticipant(log: ProcessLog): RolloutParticipant {
  return {
    prepare: () => Promise.resolve([]),
    commit: ({ snapshot }) => log.configure(snapshot.log),
    abort: () => undefined,
  };
}
