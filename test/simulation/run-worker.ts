// A thread of run.ts: carries out the plans that it is sent, one after the other, and answers each with its result.
import { parentPort } from 'node:worker_threads';
import type { Plan } from './plan.ts';
import { runPlan } from './simulation.ts';

const port = parentPort;
if (!port) throw new Error('this file is a thread of run.ts');
port.on('message', async (plan: Plan) => {
  const result = await runPlan(plan);
  // What happened in it is told by who runs it again.
  port.postMessage({ ...result, lines: [] });
});
