/**
 * The command line: what each command is called and takes. A command's code is
 * loaded when it runs, so that `weir --version` loads none of it. Every flag
 * with a value can also be given as a variable, `WEIR_` and its name; the flag
 * wins, and an empty variable counts as none.
 *
 * Commands resolve to their exit code: 0 done, 1 refused or failed, 2 wrong
 * usage.
 */
import { Command, CommanderError, Option } from 'commander';
import { version } from './version.ts';

type Exit = (code: number) => void;

/** Resolves to the exit code. `args` are those after the program's name. */
export async function runProgram(args: readonly string[]): Promise<number> {
  let code = 0;
  const program = buildProgram((given) => (code = given));
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Asked for, help and version are an answer; everything else commander throws is a usage it did not accept.
    return error.code === 'commander.helpDisplayed' || error.code === 'commander.version' ? 0 : 2;
  }
  return code;
}

function buildProgram(exit: Exit): Command {
  const program = new Command('weir')
    .description('Active-active layer 4/7 load balancer: stateless proxies that act as one')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print what a command takes')
    .exitOverride();
  addRun(program);
  addFileCommands(program, exit);
  addAdminCommands(program, exit);
  addConfigCommands(program, exit);
  addDemo(program, exit);
  return program;
}

/** A flag that may also be given as its variable: `--state-dir` is WEIR_STATE_DIR. */
function flag(flags: string, description: string): Option {
  const option = new Option(flags, description);
  const name = `WEIR_${option.name().toUpperCase().replaceAll('-', '_')}`;
  return process.env[name] === '' ? option : option.env(name);
}

const adminFlag = (): Option => flag('--admin <host:port>', "the admin interface's address, instead of admin.bind");
const pluginsFlag = (): Option => flag('--plugins <dir>', "the only place that code named by the config loads from (default: FILE's folder)");
const jsonFlag = (): Option => new Option('--json', 'print JSON');

function addRunFlags(command: Command): Command {
  return command
    .addOption(flag('--node <id>', 'name of this proxy, unique in its tier (default: the host name)'))
    .addOption(adminFlag())
    .addOption(flag('--state-dir <dir>', 'what outlives a restart (default: $STATE_DIRECTORY, else ~/.local/state/weir/NODE)'))
    .addOption(flag('--workers <n|auto>', 'threads that carry traffic (default: the CPUs it may use)'))
    .addOption(pluginsFlag())
    .addOption(flag('--no-watch', 'reload on HUP only, not when FILE changes'))
    .addOption(flag('--store <url>', 'where the tier keeps what it agrees on, instead of tier.store'))
    .addOption(flag('--advertise <ip,ip>', "what the tier's view gives out as this proxy's addresses (default: the listeners')"))
    .addOption(flag('--zone <name>', 'where this proxy runs: probes of a backend are spread over zones'))
    .addOption(flag('--tier-key <file>', 'secret with which configs and operator states are signed'));
}

/** A proxy that has ended ends its process: a name lookup still out (they cannot be cancelled) would hold it for seconds. */
function addRun(program: Command): void {
  addRunFlags(program.command('run').description('run the proxy that FILE describes').argument('<file>', 'the config, YAML')).action(
    async (file: string, flags: Record<string, unknown>) => {
      const { runCommand } = await import('./run.ts');
      process.exit(await runCommand(file, flags));
    },
  );
}

function addFileCommands(program: Command, exit: Exit): void {
  const output = { out: (text: string): void => void process.stdout.write(text), err: (text: string): void => void process.stderr.write(text) };
  program
    .command('check')
    .description('say what is wrong with FILE, or print it with every default')
    .argument('<file>')
    .addOption(adminFlag())
    .addOption(pluginsFlag())
    .addOption(jsonFlag())
    .action(async (file: string, { admin, plugins, json }: { admin?: string; plugins?: string; json?: boolean }) => {
      const { checkCommand } = await import('./check.ts');
      const load = { ...(admin === undefined ? {} : { adminBind: admin }), ...(plugins === undefined ? {} : { pluginsDir: plugins }) };
      exit(await checkCommand(file, { json: json ?? false, color: process.stderr.isTTY, load }, output));
    });
  program
    .command('explain')
    .description('say which route of FILE takes a request, and why')
    .argument('<file>')
    .argument('<url>', 'a URL, or a path')
    .option('-X, --method <method>', 'request method (default: GET)')
    .option('-H, --header <name: value>', 'a header; may be repeated', (value: string, former: readonly string[] = []) => [...former, value])
    .option('--from <ip>', "the client's address")
    .addOption(jsonFlag())
    .action(async (file: string, url: string, flags: Record<string, never>) => {
      const { explainCommand } = await import('./explain.ts');
      exit(await explainCommand(file, url, flags));
    });
  program
    .command('schema')
    .description('print the JSON Schema of the config, for an editor')
    .addOption(jsonFlag().hideHelp())
    .action(async () => {
      const { schemaCommand } = await import('./schema.ts');
      exit(schemaCommand(output));
    });
}

function addAdminCommands(program: Command, exit: Exit): void {
  const add = (usage: string, description: string): Command =>
    program
      .command(usage)
      .description(description)
      .addOption(flag('--admin <url>', 'where the proxy answers (default: http://127.0.0.1:9900)'))
      .addOption(flag('--token-file <file>', 'file that holds the token'))
      .addOption(jsonFlag());
  add('status', 'how a running proxy stands')
    .option('--tier', 'all proxies of its tier')
    .option('--pool <name>', 'with --tier: the backends of this pool too')
    .action(async (flags: Record<string, never>) => {
      const { statusCommand } = await import('./status.ts');
      exit(await statusCommand(flags));
    });
  add('members', 'who is in the tier, and how they stand').action(async (flags: Record<string, never>) => {
    const { membersCommand } = await import('./members.ts');
    exit(await membersCommand(flags));
  });
  add('top', 'the same, live').action(async (flags: Record<string, never>) => {
    const { topCommand } = await import('./top.ts');
    exit(await topCommand(flags));
  });
  add('drain', 'take this proxy, another of its tier, or one backend out of service gently')
    .argument('[target]', 'id of a member, or pool/address of a backend; without it, the proxy itself')
    .option('--state <state>', 'drain or disabled')
    .option('--weight <n>', 'set the weight instead, 0 to 1000')
    .option('--reason <text>', 'for whoever looks later')
    .action(async (target: string | undefined, flags: Record<string, never>) => {
      const { drainCommand } = await import('./drain.ts');
      exit(await drainCommand(target, flags));
    });
  add('undrain', 'put it back')
    .argument('[target]', 'id of a member, or pool/address of a backend; without it, the proxy itself')
    .option('--reason <text>', 'for whoever looks later')
    .action(async (target: string | undefined, flags: Record<string, never>) => {
      const { undrainCommand } = await import('./drain.ts');
      exit(await undrainCommand(target, flags));
    });
}

/** Commands on the config of a tier. */
function addConfigCommands(program: Command, exit: Exit): void {
  const add = (usage: string, description: string): Command =>
    program
      .command(usage)
      .description(description)
      .addOption(flag('--admin <url>', 'where the proxy answers (default: http://127.0.0.1:9900)'))
      .addOption(flag('--token-file <file>', 'file that holds the token'))
      .addOption(jsonFlag());
  add('push', 'publish FILE to the tier of a running proxy')
    .argument('<file>')
    .option('--parent <n>', 'the version it follows: refused if the tier has gone on since (default: the committed one)')
    .option('--canary <share>', 'let so many of the proxies try it on first, such as 20%')
    .option('--for <duration>', 'for so long (default: 1m)')
    .action(async (file: string, flags: Record<string, never>) => {
      const { pushCommand } = await import('./push.ts');
      exit(await pushCommand(file, flags));
    });
  add('history', 'versions of the config, newest first').action(async (flags: Record<string, never>) => {
    const { historyCommand } = await import('./history.ts');
    exit(await historyCommand(flags));
  });
  add('diff', 'what differs between two versions')
    .argument('<a>')
    .argument('<b>')
    .action(async (a: string, b: string, flags: Record<string, never>) => {
      const { diffCommand } = await import('./diff.ts');
      exit(await diffCommand(a, b, flags));
    });
  add('rollback', 'publish an earlier version again')
    .argument('<version>')
    .action(async (version: string, flags: Record<string, never>) => {
      const { rollbackCommand } = await import('./rollback.ts');
      exit(await rollbackCommand(version, flags));
    });
  add('adopt', "let a proxy with another history take the tier's config").action(async (flags: Record<string, never>) => {
    const { adoptCommand } = await import('./adopt.ts');
    exit(await adoptCommand(flags));
  });
}

function addDemo(program: Command, exit: Exit): void {
  const demo = addRunFlags(program.command('demo').description('run a proxy over three small backends of its own, to look at'));
  demo.option('--tier <n>', 'that many proxies with a Redis between them, 2 to 9');
  demo.action(async (flags: Record<string, unknown>) => {
    const { demoCommand } = await import('./demo.ts');
    process.exit(await demoCommand(flags));
  });
  demo
    .command('backend')
    .description('run one of the demo backends')
    .argument('<name>')
    .action(async (name: string) => {
      const { demoBackendCommand } = await import('./demo.ts');
      exit(await demoBackendCommand(name));
    });
}
