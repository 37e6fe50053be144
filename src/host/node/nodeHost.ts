import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { AssetName, Assets, Host } from '../host.js';
import { startThread } from './threads.js';

/** Assets that do not lie among the programs of Node. */
const ELSEWHERE: Partial<Record<AssetName, readonly string[]>> = {
  'sample text': ['..', 'media', 'sample', 'eval.txt'],
  'sample calibration text': ['..', 'media', 'sample', 'calibration.txt'],
  'gpuWorker.js': ['webview', 'gpuWorker.js'],
  'report.js': ['webview', 'report.js'],
  'report.css': ['webview', 'report.css'],
  'comparison.js': ['webview', 'comparison.js'],
  'comparison.css': ['webview', 'comparison.css'],
  'plotly.css': ['webview', 'plotly.css'],
};

function assetsIn(folder: string): Assets {
  const path = (name: AssetName) => join(folder, ...(ELSEWHERE[name] ?? [name]));
  return {
    path,
    read: async (name) => new Uint8Array(await readFile(path(name))),
    async programHash() {
      const names = await readdir(folder);
      const hash = createHash('sha256');
      for (const name of names
        .filter((each) => /^(worker|gpuProcess)\.js$|\.wasm$/.test(each))
        .sort()) {
        hash.update(await readFile(join(folder, name)));
      }
      return hash.digest('hex');
    },
  };
}

/**
 * Node as a host.
 * @param assetsFolder folder of the bundle
 */
export function makeNodeHost(assetsFolder: string): Host {
  const assets = assetsIn(assetsFolder);
  return {
    assets,
    parallelism: availableParallelism(),
    startThread: (script, start, options) =>
      startThread(assets.path(script), { start, assetsFolder }, options),
    peakMemoryBytes: () => process.resourceUsage().maxRSS * 1024,
    freeMemory: collectGarbage,
  };
}

let collect: (() => void) | undefined;

/**
 * Shared memory weighs nothing on the engine's scales, so that gigabytes of it may wait for a collection that
 * nobody calls for.
 */
function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString('-expose_gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
