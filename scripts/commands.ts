import type { Command } from './cli/command.ts';

/** A command as the overview shows it; the rest of it loads when it is named. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

/** The commands by name, in the order of the overview. */
export const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
  [
    'meta-train',
    {
      summary: 'Meta-train a learned optimizer, or go on with a run',
      load: async () => (await import('./commands/meta-train.ts')).metaTrain,
    },
  ],
  [
    'evaluate',
    {
      summary: 'Compare optimizers on held-out tasks beside tuned Adam',
      load: async () => (await import('./commands/evaluate.ts')).evaluate,
    },
  ],
  [
    'train',
    {
      summary: 'Train one task with one optimizer and draw its curves',
      load: async () => (await import('./commands/train.ts')).train,
    },
  ],
  [
    'export',
    {
      summary: 'Write an optimizer as an ONNX file that any ONNX Runtime applies',
      load: async () => (await import('./commands/export.ts')).exportCommand,
    },
  ],
  [
    'conform',
    {
      summary: 'Replay golden trajectories and show the worst deviation of each',
      load: async () => (await import('./commands/conform.ts')).conform,
    },
  ],
  [
    'compile',
    {
      summary: 'Show the graph, loops or C code that a recipe becomes',
      load: async () => (await import('./commands/compile.ts')).compile,
    },
  ],
  [
    'bench pes',
    {
      summary: 'Time whole outer steps of meta-training',
      load: async () => (await import('./commands/bench-pes.ts')).benchPes,
    },
  ],
  [
    'bench update',
    {
      summary: 'Time the update of one optimizer at several sizes',
      load: async () => (await import('./commands/bench-update.ts')).benchUpdate,
    },
  ],
  ['tasks', { summary: 'List the tasks', load: async () => (await import('./commands/lists.ts')).tasks }],
  [
    'optimizers',
    {
      summary: 'List the optimizers and their options',
      load: async () => (await import('./commands/lists.ts')).optimizers,
    },
  ],
  [
    'recipes',
    { summary: 'List the recipes for meta-training', load: async () => (await import('./commands/lists.ts')).recipes },
  ],
]);
