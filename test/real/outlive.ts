// Servers that tests start must not outlive the test's process, however that ends.
import { spawn, type ChildProcess } from 'node:child_process';

/**
 * When this process is gone, also by kill -9, the child is killed and its folder removed: a shell waits for the end of a
 * pipe that this process alone holds open.
 */
export function endWithUs(child: ChildProcess, folder: string): void {
  const script = 'read -r _; kill -9 "$0" 2>/dev/null; rm -rf "$1"';
  const watcher = spawn('/bin/sh', ['-c', script, String(child.pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  // A number of a process that has ended may soon be another's.
  child.once('exit', () => watcher.kill('SIGKILL'));
}
