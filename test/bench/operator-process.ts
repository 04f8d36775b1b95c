// The operator of `npm run bench:operator`: the real one, in a process of its own. What it asks besides Kubernetes answers
// at once: discovery is the benchmark's, tables are there already.
import { start } from '../../operator/main.ts';
import { discoveryAdmin } from '../../operator/outside/discovery.ts';

const { BENCH_DISCOVERY = '' } = process.env;

const operator = await start(process.env, {
  discovery: (_url, token) => discoveryAdmin(BENCH_DISCOVERY, token),
  ensureSchema: async () => undefined,
});
process.once('disconnect', () => process.exit(1));
process.once('SIGTERM', () => void operator.close().then(() => process.exit(0)));
process.send?.({ url: operator.url });
