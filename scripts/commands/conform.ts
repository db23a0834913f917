import type { Conformance } from '../../lopt/conform/replay.ts';
import { defineCommand } from '../cli/command.ts';
import { ENGINE_OPTIONS } from '../cli/engine-options.ts';
import { flag, optional, UsageError } from '../cli/option.ts';
import { text } from '../cli/read-text.ts';

const options = {
  pretrained: optional('Directory of published theta files, for goldens that name one', 'DIR', text),
  ...ENGINE_OPTIONS,
  'known-only': flag('Skip files that are no trajectory or need what isn’t there, and say how many'),
  json: flag('As JSON'),
};

/** A golden that was replayed. */
interface Checked {
  readonly file: string;
  readonly conformance: Conformance;
}

/** A golden that was left out. */
interface Skipped {
  readonly file: string;
  readonly reason: string;
  readonly message: string;
}

export const conform = defineCommand({
  describe:
    'Replays golden trajectories step by step and shows the worst deviation of each, in parts of its own tolerance (up to 1 conforms). Exit code 1 where one is out of it, or none was checked.',
  positionals: { usage: 'FILE...', describe: 'golden trajectories, .json or .json.gz', min: 1, max: 10_000 },
  options,
  examples: [
    ['conform test/goldens/hand/adam.json.gz', 'One golden'],
    ['conform goldens/a.json goldens/b.json --engine eager --json', 'Several, on TensorFlow.js, for a script'],
    ['conform goldens/a.json --pretrained pretrained', 'A golden that names a published theta file'],
  ],
  async run({ positionals, options }, { stdout, signal }) {
    const [{ createEngine }, { replayTrajectory }, { NotReplayable }, { readGolden }, { readPretrained }] =
      await Promise.all([
        import('../../jit/engines/create-engine.ts'),
        import('../../lopt/conform/replay.ts'),
        import('../../lopt/conform/trajectory.ts'),
        import('../golden-file.ts'),
        import('../pretrained-file.ts'),
      ]);
    const { pretrained } = options;
    const engine = await createEngine(options.engine, { device: options.device, threads: options.threads });
    const checked: Checked[] = [];
    const skipped: Skipped[] = [];
    try {
      for (const file of positionals) {
        signal.throwIfAborted();
        try {
          const conformance = await replayTrajectory(await readGolden(file), {
            engine,
            ...(pretrained !== undefined && { pretrained: (name: string) => readPretrained(pretrained, name) }),
          });
          checked.push({ file, conformance });
        } catch (error) {
          if (!(error instanceof NotReplayable)) throw error;
          if (!options['known-only']) throw new UsageError(`${file}: ${error.message} (--known-only skips such files)`);
          skipped.push({ file, reason: error.reason, message: error.message });
        }
      }
    } finally {
      await engine.dispose();
    }
    const { toJson } = await import('../../checkpoints/json-numbers.ts');
    stdout.write(options.json ? `${toJson(resultOf(checked, skipped), 2)}\n` : await tableOf(checked, skipped));
    return checked.length > 0 && checked.every(({ conformance }) => conformance.conforms) ? 0 : 1;
  },
});

function resultOf(checked: readonly Checked[], skipped: readonly Skipped[]): unknown {
  return {
    checked: checked.map(({ file, conformance: { tensors, ...rest } }) => ({
      file,
      ...rest,
      tensors: Object.fromEntries(tensors),
    })),
    skipped,
    conforming: checked.filter(({ conformance }) => conformance.conforms).length,
  };
}

async function tableOf(checked: readonly Checked[], skipped: readonly Skipped[]): Promise<string> {
  const { textTable } = await import('../../meta/report/text-table.ts');
  const rows = checked.map(({ file, conformance: { optimizer, variant, steps, worst, tensors, conforms } }) => {
    const [path, at] = [...tensors].reduce((a, b) => (b[1].parts > a[1].parts ? b : a));
    return [
      file,
      variant === undefined ? optimizer : `${optimizer}--${variant}`,
      String(steps),
      worst.toPrecision(3),
      `${path}, step ${at.step}`,
      conforms ? 'yes' : 'NO',
    ];
  });
  const conforming = checked.filter(({ conformance }) => conformance.conforms).length;
  return [
    ...(rows.length === 0
      ? []
      : [textTable(['file', 'optimizer', 'steps', 'worst / tolerance', 'where', 'conforms'], rows)]),
    `${conforming} of ${checked.length} conform${skipped.length === 0 ? '' : `, ${skipped.length} skipped`}`,
    ...skipped.map(({ file, reason }) => `  skipped ${file}: ${reason}`),
    '',
  ].join('\n');
}
