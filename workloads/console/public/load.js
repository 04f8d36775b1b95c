// Asks for the load again and again while the page is seen.
import { useEffect, useState } from 'preact/hooks';

/** @import { LoadView } from '../load-view.ts' */

const DEADLINE_MS = 5_000;
const FIRST_INTERVAL_MS = 2_000;

/**
 * @param {string} secret the platform's token or the console's key
 * @param {(problem: string) => void} onRefused
 * @returns {{ view: LoadView | undefined, problem: string }} what was told last, and why nothing newer is
 */
export function useLoad(secret, onRefused) {
  const [view, setView] = useState(/** @type {LoadView | undefined} */ (undefined));
  const [problem, setProblem] = useState('');

  useEffect(() => {
    const ended = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let intervalMs = FIRST_INTERVAL_MS;

    const look = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const answer = await ask(secret, ended.signal);
          if (ended.signal.aborted) return;
          if (answer === 'refused') return onRefused('This opens nothing here.');
          intervalMs = answer.intervalSeconds * 1_000;
          setView(answer);
          setProblem('');
        } catch (error) {
          if (ended.signal.aborted) return;
          setProblem(error instanceof Error ? error.message : String(error));
        }
      }
      timer = setTimeout(look, intervalMs);
    };
    const onVisible = () => void (document.hidden || look());
    document.addEventListener('visibilitychange', onVisible);
    void look();
    return () => {
      ended.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [secret]);

  return { view, problem };
}

/**
 * @param {string} secret
 * @param {AbortSignal} signal
 * @returns {Promise<LoadView | 'refused'>}
 */
async function ask(secret, signal) {
  const response = await fetch('/v1/load', {
    headers: { authorization: `Bearer ${secret}` },
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
  }).catch(() => {
    throw new Error('The console does not answer.');
  });
  if (response.status === 401) return 'refused';
  if (response.status === 503) throw new Error('The console has just started.');
  if (!response.ok) throw new Error(`The console answers HTTP ${response.status}.`);
  return response.json();
}
