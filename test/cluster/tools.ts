// kubectl and helm for clusters that others run: those on the PATH, else built.
import { command, works } from '../../images/command.ts';
import { helmBinary, kubeBinary } from './binaries.ts';
import type { Cluster } from './cluster.ts';

type Tools = Pick<Cluster, 'kubeconfig' | 'kubectlCommand' | 'kubectl' | 'helm'>;

/** Both with this kubeconfig. */
export async function clusterTools(kubeconfig: string): Promise<Tools> {
  const kubectl = (await works('kubectl', ['version', '--client']))
    ? ['kubectl']
    : [await kubeBinary(), 'kubectl'];
  return toolsOf(kubeconfig, kubectl, async () =>
    (await works('helm', ['version'])) ? 'helm' : await helmBinary(),
  );
}

/**
 * @param kubectl the program and its first arguments
 * @param helm finds or builds helm when it is first asked for
 */
export function toolsOf(kubeconfig: string, kubectl: readonly string[], helm: () => Promise<string>): Tools {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  const kubectlCommand = [...kubectl, `--kubeconfig=${kubeconfig}`];
  const [program = '', ...first] = kubectlCommand;
  return {
    kubeconfig,
    kubectlCommand,
    kubectl: async (args, options) => await command(program, [...first, ...args], { ...options, env }),
    helm: async (args, options) => await command(await helm(), args, { ...options, env }),
  };
}
