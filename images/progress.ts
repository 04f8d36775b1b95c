// Lines for people, with the seconds since the start of the program.
import { performance } from 'node:perf_hooks';

export function say(text: string): void {
  process.stdout.write(`${(performance.now() / 1000).toFixed(1).padStart(7)} s  ${text}\n`);
}
