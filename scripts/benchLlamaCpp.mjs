// Tokens per second of a perplexity run beside llama.cpp on this machine, in turn:
//   node scripts/benchLlamaCpp.mjs [--shape 24m|1.1b] [--rounds N] [--threads N]
// Both run a LLaMA of the same shape with random weights and compute all logits: Quantscope streams
// BF16 weights from the file and scores, llama.cpp has F32 weights in memory and does not score.
// llama.cpp comes as an npm package into a temporary folder (Linux on x64).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './lib/build.mjs';
import { installLlamaCpp } from './lib/llamaCpp.mjs';
import { inRoot } from './lib/paths.mjs';
import { runNode } from './lib/process.mjs';
import { runMain, say, step, UserError } from './lib/terminal.mjs';
import { writeRandomGguf } from './lib/writeGguf.mjs';

/** Windows that take some seconds, and their length. */
const RUNS = { '24m': { windows: 26, context: 256 }, '1.1b': { windows: 4, context: 512 } };

await runMain(async () => {
  const { values } = parseArgs({
    options: {
      shape: { type: 'string', default: '24m' },
      rounds: { type: 'string', default: '3' },
      threads: { type: 'string', default: '2' },
    },
  });
  const { shape, threads } = values;
  const run = Object.entries(RUNS).find(([name]) => name === shape)?.[1];
  if (!run) throw new UserError('--shape is 24m or 1.1b');
  const { windows, context } = run;
  await build();
  const folder = mkdtempSync(join(tmpdir(), 'quantscope-llama-'));
  try {
    const [model, packages] = [join(folder, 'model'), join(folder, 'packages')];
    const [gguf, ids] = [join(folder, 'model.gguf'), join(folder, 'ids.json')];
    await step('Making a model', async () => {
      await runNode([inRoot('scripts/makeCheckpoint.mjs'), model, '--shape', shape], {
        quiet: true,
      });
      writeRandomGguf(gguf, JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')));
    });
    const tokens = Array.from({ length: context }, (_, index) => ((index * 7919) % 31000) + 300);
    writeFileSync(ids, JSON.stringify(Array.from({ length: windows }, () => tokens)));
    await step('Installing llama.cpp', () => installLlamaCpp(packages));
    const ours = async () => {
      const options = ['--token-ids', ids, '--no-cache', '--threads', threads, '--json', '--quiet'];
      const cli = [inRoot('dist/cli.js'), 'perplexity', model, ...options];
      const { timings } = JSON.parse(await runNode(cli, { quiet: true }));
      return (windows * context) / timings.forwardSeconds;
    };
    const theirs = async () => {
      const script = [inRoot('scripts/lib/runLlamaCpp.mjs'), packages, gguf, ids, threads];
      const lines = (await runNode(script, { quiet: true })).trim().split('\n');
      return JSON.parse(lines[lines.length - 1]);
    };
    let [best, bestOfTheirs] = [0, 0];
    for (let round = 1; round <= Number(values.rounds); round++) {
      const own = await ours();
      const { system, tokensPerSecond } = await theirs();
      if (round === 1) say(`llama.cpp: ${system}`);
      say(`round ${round}: ${own.toFixed(1)} and ${tokensPerSecond.toFixed(1)} tokens/s`);
      best = Math.max(best, own);
      bestOfTheirs = Math.max(bestOfTheirs, tokensPerSecond);
    }
    say(
      `best of each: ${(best / bestOfTheirs).toFixed(2)} of llama.cpp’s speed, ${threads} thread(s)`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
