// kubectl and helm for clusters that others run: those on the PATH, else built.
import { command, works, type CommandOptions } from '../../images/command.ts';
import { helmBinary, kubeBinary } from './binaries.ts';

type Run = (args: readonly string[], options?: CommandOptions) => Promise<string>;

/** Both with this kubeconfig. */
export async function clusterTools(kubeconfig: string): Promise<{ kubectl: Run; helm: Run }> {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const [kubectl = '', ...first] = (await works('kubectl', ['version', '--client']))
    ? ['kubectl']
    : [await kubeBinary(), 'kubectl'];
  const helm = (await works('helm', ['version'])) ? 'helm' : await helmBinary();
  return {
    kubectl: async (args, options) => await command(kubectl, [...first, ...args], { ...options, env }),
    helm: async (args, options) => await command(helm, args, { ...options, env }),
  };
}
