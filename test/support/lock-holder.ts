/** Process entry: takes the lock of the folder it is given, says how that went, and stays until killed. */
import { lockFolder } from '../../src/net/folder-lock.ts';

const outcome = await lockFolder(process.argv[2]!);
process.send!(JSON.parse(JSON.stringify(outcome)));
process.on('disconnect', () => process.exit());
