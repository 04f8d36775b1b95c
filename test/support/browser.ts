// The system's Chromium, without a window.
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

function findChromium(): string | undefined {
  const places = process.env.CELLPOST_CHROMIUM ? [process.env.CELLPOST_CHROMIUM] : PLACES;
  return places.find((place) => existsSync(place));
}

/** @returns why there is no browser; undefined when there is one */
export function browserMissing(): string | undefined {
  return findChromium()
    ? undefined
    : `no Chromium (looked at ${PLACES.join(', ')}; CELLPOST_CHROMIUM may name one)`;
}

export async function startBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error(browserMissing());
  // Chromium's own sandbox refuses to run as root.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return await chromium.launch({ executablePath, args });
}
