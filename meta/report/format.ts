import { maySee, type EvaluationEntry, type EvaluationRow, type Standing } from '../evaluation-result.ts';
import type { MeanInterval } from '../statistics.ts';

/** A number with three significant digits; a dash for none, `diverged` for one that isn't finite. */
export function numberText(value: number | null): string {
  if (value === null) return '–';
  if (!Number.isFinite(value)) return 'diverged';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace('e+', 'e');
}

/** A mean with its interval: `0.340 [0.280, 0.400]`; a dash in place of the interval of one seed. */
export function intervalText({ mean, interval, count }: MeanInterval): string {
  if (count === 0) return 'diverged';
  if (interval === null) return `${numberText(mean)} [–]`;
  return `${numberText(mean)} [${numberText(interval.low)}, ${numberText(interval.high)}]`;
}

/** Mean accuracy in percent; a dash where the task has none. */
export function accuracyText({ accuracy }: EvaluationEntry): string {
  if (accuracy === null) return '–';
  return accuracy.count === 0 ? 'diverged' : `${(accuracy.mean * 100).toFixed(1)} %`;
}

/** Learning rate and schedule that tuning chose, and whether the grid ended there. */
export function tunedText({ tuned }: EvaluationEntry): string {
  if (tuned === null) return 'not tuned';
  return `lr ${numberText(tuned.lr)} ${tuned.schedule}${tuned.atEdge ? ' (at the grid’s end: a better one may lie beyond)' : ''}`;
}

/** Steps to tuned Adam's final loss, or that it took the longer run, or never came. */
export function reachedText({ stepsToReference, longer }: EvaluationEntry): string {
  if (stepsToReference !== null) return String(stepsToReference);
  if (longer?.stepsToReference != null) return `${longer.stepsToReference} of ${longer.horizon}`;
  return 'never';
}

/** Name of a row: the task and its horizon. */
export function rowTitle({ task, horizon }: EvaluationRow): string {
  return `${task}, ${horizon.toLocaleString('en')} steps`;
}

/** What a row runs on and whether meta-training saw it. */
export function rowFacts(row: EvaluationRow): string {
  const { family, dataSet, replaces, parameters, batchSize } = row;
  const data = dataSet === null ? 'no data set' : `${dataSet}${replaces === null ? '' : ` (in place of ${replaces})`}`;
  const batch = batchSize === null ? '' : `, batch ${batchSize}`;
  return `${family}, ${parameters.toLocaleString('en')} parameters, ${data}${batch}; data set ${seenText(row)}`;
}

function seenText({ entries }: EvaluationRow): string {
  const learned = entries.filter(({ kind }) => kind === 'learned');
  if (learned.length === 0) return 'not meta-trained on (nothing here was meta-trained)';
  const seen = learned.filter(maySee);
  if (seen.length === 0) return 'never seen by meta-training';
  const certain = seen.every((entry) => entry.seen === true);
  const names = seen.map(({ optimizer }) => optimizer).join(', ');
  return certain
    ? `seen by the meta-training of ${names}`
    : `perhaps seen by the meta-training of ${names} (it isn't recorded)`;
}

/** One line of the standings: optimizer, rows, below tuned Adam, reached in time, loss by Adam's, diverged runs. */
export function standingCells(standing: Standing): string[] {
  return [
    standing.optimizer,
    String(standing.rows),
    String(standing.lowerThanReference),
    String(standing.reachedInTime),
    numberText(standing.lossRatio),
    String(standing.diverged),
  ];
}
