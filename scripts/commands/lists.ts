import type { OptionRow } from '../../lopt/options.ts';
import { defineCommand, type CommandContext } from '../cli/command.ts';
import { suggestion } from '../cli/nearest.ts';
import { flag, UsageError } from '../cli/option.ts';

/** One thing of a registry, as lists show it. */
interface Item {
  readonly name: string;
  readonly summary: string;
  /** What else is said of it, by title. */
  readonly facts: Readonly<Record<string, string>>;
  readonly options: readonly OptionRow[];
}

const options = { json: flag('As JSON') };

/** A command that lists a registry, or one thing of it in full. */
function listCommand(what: string, example: string, items: () => Promise<readonly Item[]>) {
  return defineCommand({
    describe: `Lists the ${what}; with a NAME, says all of one.`,
    positionals: { usage: '[NAME]', describe: `one of the ${what}`, min: 0, max: 1 },
    options,
    examples: [
      [what, 'All, a line each'],
      [`${what} ${example}`, 'One, with its options'],
      [`${what} --json`, 'For a script'],
    ],
    async run({ positionals: [name], options: { json } }, context) {
      const all = await items();
      const shown = name === undefined ? all : [find(what, name, all)];
      if (json) context.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
      else if (name === undefined) writeLines(all, context);
      else for (const item of shown) writeItem(item, context);
    },
  });
}

export const tasks = listCommand('tasks', 'image-mlp', async () => {
  const [{ TASK_FAMILIES }, { optionRows }] = await Promise.all([
    import('../../tasks/registry.ts'),
    import('../../lopt/options.ts'),
  ]);
  return [...TASK_FAMILIES.values()].map(({ name, summary, source, options }) => ({
    name,
    summary,
    facts: { source },
    options: optionRows(options),
  }));
});

export const optimizers = listCommand('optimizers', 'adam', async () => {
  const [{ OPTIMIZERS }, { optionRows }, { listZoo, zooCard }] = await Promise.all([
    import('../../lopt/registry.ts'),
    import('../../lopt/options.ts'),
    import('../../checkpoints/files/zoo.ts'),
  ]);
  const registered = OPTIMIZERS.map(({ name, family, summary, source, statePerParameter, needs, options }) => ({
    name,
    summary,
    facts: {
      family,
      source,
      'state per parameter': statePerParameter,
      needs:
        needs.length === 0
          ? 'gradients only'
          : needs.map((need) => (typeof need === 'string' ? need : `noise ${need.name}`)).join(', '),
    },
    options: optionRows(options),
  }));
  const shipped = (await listZoo()).map(async (entry) => ({
    name: entry.name,
    summary: entry.summary,
    facts: { family: 'shipped', card: await zooCard(entry) },
    options: [],
  }));
  return [...registered, ...(await Promise.all(shipped))];
});

export const recipes = listCommand('recipes', 'small', async () => {
  const [{ RECIPES }, { configRows }] = await Promise.all([
    import('../../meta/recipes/registry.ts'),
    import('../../meta/config.ts'),
  ]);
  return [...RECIPES].map(([name, config]) => ({
    name,
    summary: String(config['description']),
    facts: { config: JSON.stringify(config, undefined, 2) },
    options: configRows(),
  }));
});

function find(what: string, name: string, items: readonly Item[]): Item {
  const item = items.find((candidate) => candidate.name === name);
  if (item) return item;
  const names = items.map((candidate) => candidate.name);
  throw new UsageError(
    `Cannot show ${name} of the ${what}: expected one of ${names.join(', ')}${suggestion(name, names)}`,
  );
}

function writeLines(items: readonly Item[], { stdout }: CommandContext): void {
  const width = Math.max(...items.map(({ name }) => name.length));
  for (const { name, summary } of items) stdout.write(`${name.padEnd(width)}  ${summary}\n`);
}

function writeItem({ name, summary, facts, options }: Item, { stdout }: CommandContext): void {
  stdout.write(`${name}: ${summary}\n`);
  for (const [title, fact] of Object.entries(facts)) stdout.write(`${title}: ${fact}\n`);
  if (options.length === 0) return;
  stdout.write('\noptions\n');
  const width = Math.max(...options.map((option) => option.name.length));
  for (const option of options)
    stdout.write(
      `  ${option.name.padEnd(width)}  ${option.meaning}; ${option.expected}; default ${JSON.stringify(option.default)}\n`,
    );
}
