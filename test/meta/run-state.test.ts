import { describe, expect, it } from 'vitest';
import { NO_PROGRESS, advanceProgress, considerBest } from '../../meta/run-state.ts';

describe('progress', () => {
  it('starts as the plain mean and then forgets', () => {
    let progress = NO_PROGRESS;
    const seen = [4, 2, 3, 9].map((metaLoss) => {
      progress = advanceProgress(progress, metaLoss, { smoothing: 0.5 });
      return progress.smoothedMetaLoss;
    });
    // 4; (4 + 2) / 2; then weight 1/2: (3 + 3) / 2, (3 + 9) / 2.
    expect(seen).toEqual([4, 3, 3, 6]);
  });

  it('passes over what is not finite', () => {
    const progress = advanceProgress(NO_PROGRESS, 4, { smoothing: 0.5 });
    expect(advanceProgress(progress, NaN, { smoothing: 0.5 })).toBe(progress);
  });

  it('keeps a best meta-loss of exactly 0', () => {
    const zero = considerBest(advanceProgress(NO_PROGRESS, 0, { smoothing: 0 }), 1);
    expect(zero.best).toEqual({ step: 1, smoothedMetaLoss: 0 });
    const later = considerBest(advanceProgress(zero, 1, { smoothing: 0 }), 2);
    expect(later.best).toEqual({ step: 1, smoothedMetaLoss: 0 });
    const better = considerBest(advanceProgress(later, -1, { smoothing: 0 }), 3);
    expect(better.best).toEqual({ step: 3, smoothedMetaLoss: -1 });
  });
});
