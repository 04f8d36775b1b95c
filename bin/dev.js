// The doors of npm's scripts: `node bin/dev.js test/run.ts unit` installs first where that is needed.
import { runOnNode24 } from './node24.js';

const [script = '', ...args] = process.argv.slice(2);
runOnNode24(script, args);
