import { isRunDirectory, parseRunReference } from '../checkpoints/files/run-directory.ts';
import { loadOptimizer } from '../checkpoints/load-optimizer.ts';
import type { LoadedOptimizer } from '../checkpoints/loaded-optimizer.ts';
import { parseReference, referenceText, type Reference } from '../lopt/reference.ts';
import { OPTIMIZERS } from '../lopt/registry.ts';
import { REFERENCE } from '../meta/evaluation-result.ts';
import type { Contestant } from '../meta/evaluate.ts';
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
    seenDataSets: learned ? seenNames(loaded) : null,
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

/** Names of the data sets that meta-training saw, and what tells their content apart, whatever they are called; undefined where it isn't recorded. */
function seenNames({ provenance }: LoadedOptimizer): ReadonlySet<string> | undefined {
  const { dataSets, dataFingerprints } = provenance;
  if (!Array.isArray(dataSets)) return undefined;
  return new Set([...dataSets, ...(Array.isArray(dataFingerprints) ? dataFingerprints : [])].map(String));
}

/** The run that a reference names; undefined where it names something else. */
export async function runDirectoryOf(reference: string): Promise<string | undefined> {
  const candidates = [reference, reference.slice(0, Math.max(0, reference.lastIndexOf('@')))];
  for (const candidate of candidates)
    if (candidate !== '' && namedReference(reference) === undefined && (await isRunDirectory(candidate)))
      return (await parseRunReference(reference)).directory;
  return undefined;
}
