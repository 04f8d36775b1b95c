// The cluster that the suite runs on, with the chart and its samples: the one that is there, or one of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { kubeBinary } from '../../cluster/binaries.ts';
import { ensureCluster, findCluster, type ImageReferences } from '../../cluster/cluster.ts';
import { applySamples, installChart, runImages } from '../../cluster/install.ts';
import { badImage, type Fault } from './bad-images.ts';

const FORWARD_DEADLINE_MS = 30_000;

type Forward = { port: number; close(): Promise<void> };

export type TestCluster = {
  /** What kubectl prints. @throws with what it complains of */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** A port on 127.0.0.1 that leads to `svc/x`, `pod/y` or `deploy/z`. @throws when there is no ready pod behind it */
  forward(namespace: string, target: string, port: number): Promise<Forward>;
  /** Gives the nodes the cellpost image under another tag, too. @returns false where that can't be done from here */
  tag(version: string): Promise<boolean>;
  /** Loads a bad cellpost image. @returns its tag; undefined where that can't be done from here */
  loadBad(fault: Fault): Promise<string | undefined>;
  /** Upgrades the chart to the same images under another tag. @returns false where that can't be done from here */
  upgrade(version: string): Promise<boolean>;
  /** Ends the cluster, unless it was there before. */
  close(): Promise<void>;
};

/** @param samples of the chart's samples; all of them when none is named */
export async function openCluster(samples?: readonly string[]): Promise<TestCluster> {
  const there = (await findCluster()) !== undefined;
  const cluster = await ensureCluster();
  const close = async (): Promise<void> => {
    if (!there) await cluster.down();
  };
  let images: ImageReferences | undefined;
  try {
    images = await cluster.loadImages();
    await installChart(cluster, images);
    await applySamples(cluster, samples);
    await runImages(cluster, images);
  } catch (error) {
    await close();
    throw error;
  }
  /** The node knows an image by another tag, too. */
  const tagged = async (image: string, version: string): Promise<string> => {
    const other = image.replace(/:[^:/]+$/, `:${version}`);
    await cluster.inside(['ctr', '-n', 'k8s.io', 'images', 'tag', '--force', image, other]);
    return other;
  };
  const canTag = cluster.kind === 'private' ? images : undefined;
  return {
    kubectl: (args, input) => cluster.kubectl(args, input === undefined ? {} : { input }),
    forward: (namespace, target, port) => startForward(cluster.kubeconfig, namespace, target, port),
    async tag(version) {
      if (canTag) await tagged(canTag.cellpost, version);
      return canTag !== undefined;
    },
    async loadBad(fault) {
      if (!canTag) return undefined;
      const { reference, tar } = await badImage(fault);
      await cluster.loadImage(tar);
      return reference.split(':').at(-1);
    },
    async upgrade(version) {
      if (!canTag) return false;
      const [cellpost, hbase] = [await tagged(canTag.cellpost, version), await tagged(canTag.hbase, version)];
      await installChart(cluster, { ...canTag, cellpost, hbase });
      return true;
    },
    close,
  };
}

async function startForward(
  kubeconfig: string,
  namespace: string,
  target: string,
  port: number,
): Promise<Forward> {
  const args = ['kubectl', `--kubeconfig=${kubeconfig}`, '-n', namespace, 'port-forward', target, `:${port}`];
  const child = spawn(await kubeBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = (complaint + String(chunk)).slice(-1_000);
  });
  const told = new Promise<number>((resolve, reject) => {
    const lines = createInterface(child.stdout);
    lines.on('line', (line) => {
      const found = /^Forwarding from 127\.0\.0\.1:(?<port>\d+)/.exec(line)?.groups?.port;
      if (found) resolve(Number(found));
    });
    lines.on('close', () => reject(new Error(`No way to ${target}: ${complaint.trim()}`)));
    setTimeout(() => reject(new Error(`No way to ${target} in time.`)), FORWARD_DEADLINE_MS).unref();
  });
  try {
    return { port: await told, close };
  } catch (error) {
    await close();
    throw error;
  }
}
