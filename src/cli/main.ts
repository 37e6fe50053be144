#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8';
import { makeNodeHost } from '../host/node/nodeHost.js';
import { listenForInterruption } from './interruption.js';
import { EXIT, run } from './run.js';

// Fused multiply-add for vectors nearly halves the time of a perplexity; Node 20 has it behind a
// flag, later ones always. Without it the plain build of the same loops runs.
if (Number.parseInt(process.versions.node, 10) < 22) {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
}

const interruption = listenForInterruption();
// Broken pipes reach the writer through its callback; unheard, the event would end the process.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

void run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  host: makeNodeHost(__dirname),
  signal: interruption.signal,
}).then((code) => {
  // Not process.exit: what is still on its way to a pipe would be lost.
  process.exitCode = code === EXIT.interrupted ? (interruption.exitCode ?? code) : code;
});
