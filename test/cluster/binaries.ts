// Kubernetes and its tools, built from Go modules: see go/.
import { fileURLToPath } from 'node:url';
import { goInstall, goProgram } from '../../images/go-program.ts';

const VERSION = { git: 'v1.34.10', major: '1', minor: '34' };

const folder = (name: string): string => fileURLToPath(new URL(`go/${name}`, import.meta.url));

/** etcd, every Kubernetes component and kubectl in one: the first argument chooses. */
export const kubeBinary = (): Promise<string> =>
  goProgram({
    name: 'kube',
    folder: folder('kube'),
    variables: [
      `k8s.io/component-base/version.gitVersion=${VERSION.git}`,
      `k8s.io/component-base/version.gitMajor=${VERSION.major}`,
      `k8s.io/component-base/version.gitMinor=${VERSION.minor}`,
    ],
  });

export const corednsBinary = (): Promise<string> => goProgram({ name: 'coredns', folder: folder('dns') });

/** What holds a pod's namespaces open. */
export const pauseBinary = (): Promise<string> => goProgram({ name: 'pause', folder: folder('pause') });

export const helmBinary = (): Promise<string> =>
  goProgram({ name: 'helm', folder: folder('helm'), package: 'helm.sh/helm/v3/cmd/helm' });

/** Says what nodes and their pods would, without running anything. */
export const kwokBinary = (): Promise<string> =>
  goInstall({ name: 'kwok', module: 'sigs.k8s.io/kwok/cmd/kwok', version: 'v0.7.0' });
