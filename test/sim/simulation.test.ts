import { expect, it } from 'vitest';
import { runSeed } from './simulation.js';

it('tries', async () => {
  const from = Number(process.env.ETCDKIT_SIM_SEED ?? 1);
  const n = Number(process.env.ETCDKIT_SIM_SEEDS ?? 1);
  const t = performance.now();
  const errs: string[] = [];
  let steps=0, ops=0, ans=0, revs=0, terms=0;
  for (let s = from; s < from + n; s++) {
    try {
      const r = await runSeed(s, { isVerbose: n === 1 });
      steps+=r.steps; ops+=r.operations; ans+=r.answered; revs+=r.revisions; terms+=r.leaderTerms;
      if (n === 1) console.log(r);
    } catch (e) {
      errs.push(String((e as Error).message).slice(0, n === 1 ? 100000 : 700));
    }
  }
  console.log((performance.now() - t) / n, 'ms per seed', {steps:steps/n, ops:ops/n, ans:ans/n, revs:revs/n, terms:terms/n});
  console.log(errs.length, 'failed');
  console.log(errs.slice(0, 10).join('\n-------\n'));
  expect(errs.length).toBe(0);
}, 600_000);
