import { readFile } from 'node:fs/promises';
import { isRunDirectory, parseRunReference, runPaths } from '../checkpoints/files/run-directory.ts';
import { loadOptimizer } from '../checkpoints/load-optimizer.ts';
import type { LoadedOptimizer } from '../checkpoints/loaded-optimizer.ts';
import { parseReference, referenceText, type Reference } from '../lopt/reference.ts';
import { OPTIMIZERS } from '../lopt/registry.ts';
import { REFERENCE } from '../meta/evaluation-result.ts';
import type { Contestant } from '../meta/evaluate.ts';
import { readRunFile } from '../meta/run-file.ts';
import { TUNED_LR } from '../meta/tune.ts';

/**
 * Optimizers to be compared, by the names that the command line gives; tuned Adam is added where it isn't among them.
 * @throws what `loadOptimizer` throws.
 */
export async function loadContestants(references: readonly string[]): Promise<readonly Contestant[]> {
  const all = references.includes(REFERENCE) ? references : [...references, REFERENCE];
  return Promise.all(all.map((reference) => loadContestant(reference, { tune: true })));
}

/**
 * An optimizer by name. With `tune`, a hand-designed one without an lr of its own is made so that its rate can be tuned.
 * @throws what `loadOptimizer` throws.
 */
export async function loadContestant(reference: string, { tune }: { readonly tune: boolean }): Promise<Contestant> {
  const named = namedReference(reference);
  const tuned = tune && named !== undefined && takesLr(named);
  const loaded = await loadOptimizer(
    tuned ? referenceText({ name: named.name, options: { ...named.options, lr: TUNED_LR } }) : reference,
  );
  const learned = loaded.theta.size > 0;
  return {
    label: reference,
    kind: learned ? 'learned' : 'hand',
    optimizer: loaded.optimizer,
    tuned,
    seenDataSets: learned ? await seenNames(reference, loaded) : null,
  };
}

/** A reference to the registry; undefined for paths and names of what ships. */
function namedReference(reference: string): Reference | undefined {
  const name = /^[a-z0-9-]+(?=\s*(\{|$))/.exec(reference)?.[0];
  return OPTIMIZERS.some((entry) => entry.name === name) ? parseReference(reference) : undefined;
}

/** Whether an optimizer, or the one that it wraps, has a learning rate that the reference doesn't give. */
function takesLr({ name, options }: Reference): boolean {
  const entry = OPTIMIZERS.find((candidate) => candidate.name === name);
  if (entry === undefined || entry.family === 'learned' || 'lr' in options) return false;
  if ('lr' in entry.options) return true;
  return entry.family === 'wrapper' && takesLr(parseReference(options['base'] ?? entry.defaultBase));
}

/** What meta-training saw: names of data sets, and what tells their content apart, whatever they are called. */
export interface SeenData {
  readonly dataSets: readonly string[];
  readonly dataFingerprints: readonly string[];
}

/** From the run's config.json, else as the file says; undefined where neither does. */
export async function seenData(reference: string, { provenance }: LoadedOptimizer): Promise<SeenData | undefined> {
  const directory = await runDirectoryOf(reference);
  if (directory !== undefined) {
    const { config } = runPaths(directory);
    const { data } = readRunFile(await readFile(config, 'utf8'), config);
    return {
      dataSets: [...new Set(data.map(({ dataSet }) => dataSet))].toSorted(),
      dataFingerprints: [...new Set(data.flatMap(({ fingerprint }) => fingerprint ?? []))].toSorted(),
    };
  }
  const { dataSets, dataFingerprints } = provenance;
  if (!Array.isArray(dataSets)) return undefined;
  return {
    dataSets: dataSets.map(String),
    dataFingerprints: Array.isArray(dataFingerprints) ? dataFingerprints.map(String) : [],
  };
}

async function seenNames(reference: string, loaded: LoadedOptimizer): Promise<ReadonlySet<string> | undefined> {
  const seen = await seenData(reference, loaded);
  return seen && new Set([...seen.dataSets, ...seen.dataFingerprints]);
}

/** The run that a reference names; undefined where it names something else. */
export async function runDirectoryOf(reference: string): Promise<string | undefined> {
  const candidates = [reference, reference.slice(0, Math.max(0, reference.lastIndexOf('@')))];
  for (const candidate of candidates)
    if (candidate !== '' && namedReference(reference) === undefined && (await isRunDirectory(candidate)))
      return (await parseRunReference(reference)).directory;
  return undefined;
}
