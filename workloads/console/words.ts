// Numbers as people read them, in sentences of the console and in tables of cellctl.

/** `4 ms`, `0.3 ms`, `1.2 s` */
export function describeMs(ms: number): string {
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

export const describePercent = (share: number): string => `${Math.round(share * 100)} %`;

export const describeCores = (cores: number): string =>
  cores === 1 ? '1 processor' : `${Number(cores.toFixed(2))} processors`;

/** `312 MiB`, `1.5 GiB` */
export function describeBytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  return mib < 1_000 ? `${Math.round(mib)} MiB` : `${(mib / 1_024).toFixed(1)} GiB`;
}
