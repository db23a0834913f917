import { IN_TIME, type EvaluationResult, type Standing } from '../evaluation-result.ts';
import {
  accuracyText,
  intervalText,
  numberText,
  reachedText,
  rowFacts,
  rowTitle,
  standingCells,
  tunedText,
} from './format.ts';

/** An evaluation as text for the terminal: a table a row, then the standings. */
export function evaluationText(result: EvaluationResult): string {
  const rows = result.rows.map((row) =>
    [
      rowTitle(row),
      `  ${rowFacts(row)}`,
      textTable(
        ['optimizer', 'tuning', 'final loss', 'best', 'accuracy', 'steps to Adam’s', 'ms/step', 'diverged'],
        row.entries.map((entry) => [
          entry.optimizer,
          tunedText(entry),
          intervalText(entry.final),
          numberText(entry.best.count === 0 ? Number.NaN : entry.best.mean),
          accuracyText(entry),
          reachedText(entry),
          numberText(entry.msPerStep),
          entry.diverged === 0 ? '0' : `${entry.diverged} of ${entry.losses.length}`,
        ]),
      ),
    ].join('\n'),
  );
  const { all, unseen } = result.summary;
  return [
    ...rows,
    standingsText('All rows', all),
    unseen.length === 0
      ? 'Rows whose data set no meta-training saw: none.'
      : standingsText('Rows whose data set no meta-training saw', unseen),
    `Losses: ${result.scoredOn}. Intervals: ${result.intervalMethod}.`,
  ].join('\n\n');
}

function standingsText(title: string, standings: readonly Standing[]): string {
  return [
    title,
    textTable(
      [
        'optimizer',
        'rows',
        'lower than tuned Adam',
        `reached it in ${IN_TIME} x its steps`,
        'loss by Adam’s',
        'diverged',
      ],
      standings.map(standingCells),
    ),
  ].join('\n');
}

/** Columns aligned, the first to the left and the others to the right. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`.trimEnd();
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}
