/** What one outer step reports: a line of metrics.ndjson. `ms` and nothing else depends on the clock. */
export interface StepMetrics {
  /** Outer step, from 0. */
  readonly step: number;
  /** Mean of the tasks' meta-losses: normalised inner loss, mean over pairs and steps. */
  readonly metaLoss: number;
  /** Moving mean of the meta-loss, by which the best checkpoint is chosen. */
  readonly smoothedMetaLoss: number;
  /** Norm of the meta-gradient before clipping. */
  readonly gradientNorm: number;
  /** Fraction of the meta-gradient's elements that clipping changed. */
  readonly clipFraction: number;
  /** Outer learning rate of this step; null where the outer optimizer has none. */
  readonly lr: number | null;
  /** By task, under names that are unique in the run. */
  readonly tasks: Readonly<Record<string, TaskMetrics>>;
  /** Wall-clock milliseconds. */
  readonly ms: number;
}

/** What one outer step saw of one task. */
export interface TaskMetrics {
  readonly metaLoss: number;
  /** Norm of this task's meta-gradient. */
  readonly gradientNorm: number;
  /** Pair steps left out because neither member's loss was usable. */
  readonly drops: number;
  /** Particle steps whose loss wasn't finite. */
  readonly nonFinite: number;
  /** Trajectories that began. */
  readonly resets: number;
}
