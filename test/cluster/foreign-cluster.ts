// The cluster that KUBECONFIG names: Cellpost is installed on it, and it stays.
import type { Cluster } from './cluster.ts';
import { clusterTools } from './tools.ts';

export async function foreignCluster(kubeconfig: string): Promise<Cluster> {
  const cannot = (what: string) => (): Promise<never> =>
    Promise.reject(new Error(`The cluster of KUBECONFIG is not of our making: ${what}.`));
  return {
    kind: 'foreign',
    ...(await clusterTools(kubeconfig)),
    inside: cannot('nothing of this machine runs inside it'),
    loadImages: () => Promise.resolve(undefined),
    loadImage: cannot('it pulls its images from a registry'),
    down: () => Promise.resolve(),
  };
}
