// A process of the coordination suite, to be killed or stopped:
//   coordinator SOCKET FILE        the embedded coordinator; says "ready"
//   owner URL TIMEOUT_MS PATH      a session with an ephemeral node; says "ready ID", then its states, and at the end of
//                                  the session what a call throws ("call CODE")
import { startCoordinator } from '../../embedded/coordinator.ts';
import { CoordinationError } from '../../workloads/common/coordination/coordination.ts';
import { openCoordination } from '../../workloads/common/coordination/open.ts';

const [role, first = '', second = '', third = ''] = process.argv.slice(2);

if (role === 'coordinator') {
  await startCoordinator({ socketPath: first, dataFile: second });
  console.log('ready');
} else {
  // Whatever becomes of the session, the process goes on until it is killed.
  setInterval(() => undefined, 60_000);
  const session = await openCoordination(first, { timeoutMs: Number(second) });
  session.onState((state) => {
    console.log(`state ${state}`);
    if (state === 'expired') void sayWhatCallsThrow();
  });
  await session.create(third, new TextEncoder().encode('owned'), { ephemeral: true });
  console.log(`ready ${session.sessionId}`);

  async function sayWhatCallsThrow(): Promise<void> {
    try {
      await session.get(third);
      console.log('call answered');
    } catch (error) {
      console.log(`call ${error instanceof CoordinationError ? error.code : String(error)}`);
    }
  }
}
