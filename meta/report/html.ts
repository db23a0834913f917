import {
  IN_TIME,
  LR_SCHEDULES,
  REFERENCE,
  referenceEntry,
  wasSeen,
  type EvaluationResult,
  type EvaluationRow,
  type Standing,
} from '../evaluation-result.ts';
import { meanInterval } from '../statistics.ts';
import { chartSvg, escapeXml, type ChartCurve } from './chart.ts';
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
import { STYLE } from './style.ts';

/**
 * An evaluation as one self-contained HTML page: no script, no font, no picture from elsewhere, nothing that tells when or where it
 * was made.
 */
export function evaluationHtml(result: EvaluationResult): string {
  const names = [...new Set(result.rows.flatMap(({ entries }) => entries.map(({ optimizer }) => optimizer)))];
  // Learned ones first: they get the strongest colours.
  const learned = names.filter((name) => isLearned(result, name));
  const colors = new Map(
    [...learned, ...names.filter((name) => !learned.includes(name))].map((name, i) => [name, i % 8]),
  );
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeXml(`lopt evaluation: ${result.suite}`)}</title>`,
    `<style>${STYLE}</style>`,
    '<main>',
    '<header>',
    `<h1>${escapeXml(result.suite)}</h1>`,
    `<p class="lead">${escapeXml(leadText(result, learned))}</p>`,
    legend(colors, learned),
    '</header>',
    '<section>',
    '<h2>Standings</h2>',
    standingsTable('All rows', result.summary.all),
    result.summary.unseen.length === 0
      ? '<p class="note">There is no row whose data set meta-training never saw.</p>'
      : standingsTable('Rows whose data set no meta-training saw', result.summary.unseen),
    '</section>',
    ...(learned.length > 0 ? [referenceWins(result, learned)] : []),
    ...result.rows.map((row) => rowSection(row, colors, learned)),
    methodSection(result),
    '</main>',
    '</html>',
    '',
  ].join('\n');
}

function isLearned({ rows }: EvaluationResult, name: string): boolean {
  return rows.some(({ entries }) => entries.some(({ optimizer, kind }) => optimizer === name && kind === 'learned'));
}

function leadText({ rows, seeds, summary }: EvaluationResult, learned: readonly string[]): string {
  const basis = `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}, ${seeds.length} ${seeds.length === 1 ? 'seed' : 'seeds'} each.`;
  const sentences = summary.all
    .filter(({ optimizer }) => learned.includes(optimizer))
    .map(
      ({ optimizer, rows: count, lowerThanReference, reachedInTime }) =>
        `${optimizer} ends below tuned Adam on ${lowerThanReference} of ${count} and reaches its final loss within ${IN_TIME} times its steps on ${reachedInTime}.`,
    );
  return [basis, ...sentences].join(' ');
}

function legend(colors: ReadonlyMap<string, number>, learned: readonly string[]): string {
  const items = [...colors].map(
    ([name, color]) =>
      `<li><span class="swatch c${color}"></span>${escapeXml(name)}${learned.includes(name) ? ' <small>learned</small>' : ''}</li>`,
  );
  return `<ul class="legend">${items.join('')}</ul>`;
}

function standingsTable(title: string, standings: readonly Standing[]): string {
  return table(
    title,
    [
      'optimizer',
      'rows',
      'ends below tuned Adam',
      `reaches it in ${IN_TIME} × its steps`,
      'loss by Adam’s (geometric mean)',
      'diverged runs',
    ],
    standings.map(standingCells),
  );
}

/** Every row on which tuned Adam ends lower, said before any curve is shown. */
function referenceWins({ rows }: EvaluationResult, learned: readonly string[]): string {
  const lost = rows.flatMap((row) => {
    const reference = referenceEntry(row);
    if (!reference) return [];
    return row.entries
      .filter(
        ({ optimizer, diverged, final }) =>
          learned.includes(optimizer) && (diverged > 0 || !(final.mean < reference.final.mean)),
      )
      .map(
        (entry) =>
          `<li><b>${escapeXml(rowTitle(row))}</b>: ${escapeXml(entry.optimizer)} ends at ${escapeXml(numberText(entry.final.count === 0 ? Number.NaN : entry.final.mean))}${entry.diverged > 0 ? ` (${entry.diverged} of ${entry.losses.length} seeds diverged)` : ''}, tuned Adam at ${escapeXml(numberText(reference.final.mean))}.</li>`,
      );
  });
  const body = lost.length === 0 ? '<p>On no row of this evaluation.</p>' : `<ul>${lost.join('\n')}</ul>`;
  return `<section>\n<h2>Where tuned Adam wins</h2>\n${body}\n</section>`;
}

function rowSection(row: EvaluationRow, colors: ReadonlyMap<string, number>, learned: readonly string[]): string {
  const curves = row.entries.map((entry): ChartCurve => {
    const points = row.steps.map((_, point) => entry.losses.map((seed) => seed[point] ?? Number.NaN));
    const intervals = points.map((values) => meanInterval(values));
    return {
      label: entry.optimizer,
      color: colors.get(entry.optimizer) ?? 0,
      emphasized: learned.includes(entry.optimizer),
      values: intervals.map(({ mean }) => mean),
      ...(entry.losses.length > 1 && {
        low: intervals.map(({ interval }) => interval?.low ?? Number.NaN),
        high: intervals.map(({ interval }) => interval?.high ?? Number.NaN),
      }),
    };
  });
  return [
    '<section class="row">',
    `<h2>${escapeXml(rowTitle(row))}${wasSeen(row) ? ' <small class="tag">seen in meta-training</small>' : ''}</h2>`,
    `<p class="note">${escapeXml(rowFacts(row))}.</p>`,
    chartSvg(curves, {
      steps: row.steps,
      xLabel: 'inner step',
      yLabel: 'evaluation loss',
      title: `Evaluation loss by inner step: ${rowTitle(row)}`,
    }),
    entriesTable(row),
    gridDetails(row),
    '</section>',
  ].join('\n');
}

function entriesTable({ entries }: EvaluationRow): string {
  return table(
    null,
    [
      'optimizer',
      'tuning',
      'final loss',
      'best loss',
      'accuracy',
      'steps to Adam’s',
      'ms a step',
      'ms to Adam’s',
      'diverged',
    ],
    entries.map((entry) => [
      entry.optimizer,
      tunedText(entry),
      intervalText(entry.final),
      numberText(entry.best.count === 0 ? Number.NaN : entry.best.mean),
      accuracyText(entry),
      reachedText(entry),
      numberText(entry.msPerStep),
      numberText(entry.msToReference),
      entry.diverged === 0 ? '0' : `${entry.diverged} of ${entry.losses.length}`,
    ]),
  );
}

/** The tuning grids, folded away. */
function gridDetails({ entries }: EvaluationRow): string {
  const tuned = entries.filter(({ grid }) => grid.length > 0);
  if (tuned.length === 0) return '';
  const tables = tuned.map(({ optimizer, grid }) => {
    const rates = [...new Set(grid.map(({ lr }) => lr))].toSorted((a, b) => a - b);
    const cell = (lr: number, schedule: string): string => {
      const point = grid.find((candidate) => candidate.lr === lr && candidate.schedule === schedule);
      return point ? numberText(point.loss) : '–';
    };
    return table(
      optimizer,
      ['lr', ...rates.map(numberText)],
      LR_SCHEDULES.map((schedule) => [schedule as string].concat(rates.map((lr) => cell(lr, schedule)))),
    );
  });
  return `<details><summary>Tuning: final loss by learning rate, on the tuning seeds</summary>${tables.join('\n')}</details>`;
}

function methodSection({ scoredOn, seeds, tuningSeeds, intervalMethod, configuration }: EvaluationResult): string {
  const facts = Object.entries(configuration).map(
    ([name, value]) =>
      `<tr><th>${escapeXml(name)}</th><td>${escapeXml(value === null ? '–' : String(value))}</td></tr>`,
  );
  return [
    '<section>',
    '<h2>How this was measured</h2>',
    `<p>Every optimizer starts from the same initial weights and sees the same batches at a given seed. Losses are ${escapeXml(scoredOn)}.`,
    `Hand-designed optimizers run at the best of a grid of learning rates, each constant and falling linearly to 0 over the horizon, chosen by the mean final loss on fixed batches of the outerValid split over the tuning seeds (${tuningSeeds.join(', ')}), neither of which is reported; what is shown are the seeds ${seeds.join(', ')}. “Tuned Adam” (${REFERENCE}) is the better of both schedules.`,
    `Intervals and bands: ${escapeXml(intervalMethod)}; a dash where one seed has none.`,
    `“Steps to Adam’s”: the first evaluated step at which the mean loss over seeds, smoothed (moving average, 0.9 a point), is at most tuned Adam’s smoothed final one; “a of b” means a second run that was told the longer horizon b. A seed of which a loss is not finite counts as diverged: it leaves the means, its curve stops, and its row counts as lost.</p>`,
    `<table class="facts"><tbody>${facts.join('')}</tbody></table>`,
    '</section>',
  ].join('\n');
}

function table(caption: string | null, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escapeXml(text)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table>${caption === null ? '' : `<caption>${escapeXml(caption)}</caption>`}<thead>${cells('th', header)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
}
