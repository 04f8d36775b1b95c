// The three things that the operator says to a platform's discovery.
import { z } from 'zod';
import { request } from 'undici';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import type { CellState } from '../types.ts';

/** Discovery answers from memory or from its own ZooKeeper; a longer silence is a failure. */
const TIMEOUT_MS = 5_000;

export type CellRecord = {
  state: CellState;
  dataCenter: string;
  /** Where the cell's ring is. */
  coordination: string;
};

const recordAnswer = z.object({
  state: z.string(),
  dataCenter: z.string(),
  coordination: z.string(),
  buckets: z.number().int(),
  /** The app servers that this process of discovery sees. */
  nodes: z.array(z.object({ name: z.string(), state: z.string() })).default([]),
});
type CellAnswer = z.infer<typeof recordAnswer>;

/** Discovery could not be asked, or refused. The message is a sentence for people. */
export class DiscoveryError extends Error {
  override name = 'DiscoveryError';
}

export type DiscoveryAdmin = {
  /** @returns undefined when discovery knows no such cell */
  cell(name: string): Promise<CellAnswer | undefined>;
  putCell(name: string, record: CellRecord): Promise<void>;
  /** @param withData also when users' buckets map to the cell: they lose their home @returns when it is gone */
  deleteCell(name: string, withData: boolean): Promise<void>;
};

/** @param url such as http://cellpost-discovery.mail.svc.cluster.local:8090 */
export function discoveryAdmin(url: string, token: string): DiscoveryAdmin {
  const call = async (
    method: 'GET' | 'PUT' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    try {
      const response = await request(`${url}${path}`, {
        method,
        headers: { authorization: bearer(token), 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
      });
      return { status: response.statusCode, text: await response.body.text() };
    } catch (error) {
      const why =
        error instanceof Error ? ('code' in error ? String(error.code) : error.name) : String(error);
      throw new DiscoveryError(`Discovery at ${new URL(url).host} does not answer (${why}).`);
    }
  };
  const refuse = (what: string, { status, text }: { status: number; text: string }): never => {
    throw new DiscoveryError(`Discovery refused to ${what}: ${detailOf(text) ?? `HTTP ${status}`}`);
  };
  const pathOf = (name: string): string => `/v1/cells/${encodeURIComponent(name)}`;
  return {
    async cell(name) {
      const answer = await call('GET', pathOf(name));
      if (answer.status === 404) return undefined;
      if (answer.status !== 200) return refuse(`tell of cell ${name}`, answer);
      return recordAnswer.parse(JSON.parse(answer.text));
    },
    async putCell(name, record) {
      const answer = await call('PUT', pathOf(name), record);
      if (answer.status >= 300) refuse(`take cell ${name}`, answer);
    },
    async deleteCell(name, withData) {
      const answer = await call('DELETE', `${pathOf(name)}${withData ? '?withData=true' : ''}`);
      if (answer.status >= 300 && answer.status !== 404) refuse(`forget cell ${name}`, answer);
    },
  };
}

function detailOf(text: string): string | undefined {
  try {
    const problem: unknown = JSON.parse(text);
    if (typeof problem === 'object' && problem !== null && 'detail' in problem) return String(problem.detail);
  } catch {
    // Not discovery itself that answered.
  }
  return undefined;
}
