// What the suites need of the machine beyond npm: asked for once, before they run.
import { installMissing } from './debian.ts';

/** Program -> Debian's package. Without them the tests that need them are skipped, or end with a sentence. */
const NEEDED = {
  java: 'openjdk-17-jdk-headless',
  mvn: 'maven',
  chromium: 'chromium',
};

/** Installs what is missing where that can be done; says what can't. */
export async function prepareMachine(): Promise<void> {
  const missing = await installMissing(NEEDED);
  if (missing.length > 0) {
    console.log(
      `Missing on this machine, named by Debian's packages: ${missing.join(', ')}. Tests that need them can't run.`,
    );
  }
}
