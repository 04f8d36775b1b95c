// What a benchmark is asked for on its command line.
import { parseArgs } from 'node:util';

/**
 * Numbers of an option: `--cells 10,100` or `--cells=10,100`.
 * @throws when it names something else
 */
export function listOption(name: string, otherwise: number[], argv = process.argv.slice(2)): number[] {
  const { values } = parseArgs({ args: argv, options: { [name]: { type: 'string' } }, strict: false });
  const text = values[name];
  if (text === undefined) return otherwise;
  if (typeof text !== 'string' || !/^\d+(,\d+)*$/.test(text))
    throw new Error(`--${name} takes numbers with commas between them, such as --${name} 10,100.`);
  return text.split(',').map(Number);
}
