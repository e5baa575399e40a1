/**
 * What every adapter of the tier's store must do (src/control-plane/store/tier-store.ts),
 * as tests: to be called in a test file, once for each way to open a store.
 */
import { afterEach, beforeEach, describe } from 'vitest';
import { callContract, leaderContract, operatorContract, verdictContract } from './tier-contract/calls.ts';
import { firstContract, publishContract, restoreContract, rolloutContract, versionContract } from './tier-contract/config.ts';
import { closeContract, hintContract, logContract, tokenContract, watchContract } from './tier-contract/extras.ts';
import { badInputContract } from './tier-contract/bad-input.ts';
import { roleContract } from './tier-contract/roles.ts';
import { pageContract, tableContract, tombstoneContract } from './tier-contract/tables.ts';
import { ticketContract } from './tier-contract/tickets.ts';
import { TierRig, type OpenedTierStore } from './tier-contract/tier-rig.ts';
import { joinContract, leaseContract, stateContract, tierTimeContract } from './tier-contract/time-and-membership.ts';

const sections = [
  tierTimeContract, leaseContract, joinContract, stateContract,
  tableContract, pageContract, tombstoneContract,
  callContract, verdictContract, leaderContract, operatorContract, roleContract, ticketContract,
  publishContract, rolloutContract, restoreContract, firstContract, versionContract,
  logContract, watchContract, tokenContract, hintContract, badInputContract, closeContract,
];

/** `open` is called for each test, and gives an empty store. */
export function tierStoreContract(name: string, open: () => Promise<OpenedTierStore>): void {
  describe(`the tier's store: ${name}`, () => {
    let opened: TierRig;
    beforeEach(async () => {
      opened = new TierRig(await open());
    });
    afterEach(() => opened.close());

    const rig = (): TierRig => opened;
    for (const section of sections) section(rig);
  });
}
