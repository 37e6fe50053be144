// npm start: the sample, or a model of the user's, at the terminal and in VS Code.
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './lib/build.mjs';
import { installDependencies } from './lib/dependencies.mjs';
import { hasDesktop, openDesktop } from './lib/desktop.mjs';
import { findModel } from './lib/model.mjs';
import { inRoot, screenshotFolder } from './lib/paths.mjs';
import { runNode } from './lib/process.mjs';
import { copySample } from './lib/sample.mjs';
import { serve } from './lib/serve.mjs';
import { takeScreenshots } from './lib/takeScreenshots.mjs';
import { runMain, say, UserError } from './lib/terminal.mjs';

const USAGE = `Usage: npm start [-- [PATH] [--once] [--screenshots FOLDER] [--port N]]

Builds Quantscope, compares number formats on a model at the terminal, then opens it in VS Code.

  PATH                  a .safetensors file, an index of shards, or a folder with either
                        (default: the embedded sample model)
  --once                take screenshots of the window instead of serving it, and exit
  --screenshots FOLDER  where to (default: out/screenshots)
  --port N              where VS Code listens (default: any free port)
`;

const FORMATS = ['int4-asym', 'int4-sym', 'fp4-e2m1', 'afp4-e2m1', 'nf4', 'anf4', 'dint4'];

/** Of the sample, seconds; models of others may have no tokenizer, or take hours. */
const SAMPLE_PERPLEXITY = ['--windows', '16'];

/** A comparison reads all weights; above this that is the user's own decision. */
const COMPARED_UNASKED = 1024 ** 3;

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        once: { type: 'boolean', default: false },
        screenshots: { type: 'string', default: screenshotFolder },
        port: { type: 'string', default: '0' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const port = Number(values.port);
    if (positionals.length > 1) throw new Error('One PATH at most');
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new Error('--port: no such port');
    return {
      ...values,
      port,
      screenshots: path.resolve(values.screenshots),
      model: positionals[0],
    };
  } catch (error) {
    throw new UserError(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

/**
 * @param {import('./lib/model.mjs').ModelPlace} model
 * @param {readonly string[]} more options of the command line
 */
async function compareAtTerminal(model, more) {
  const shown = path.relative(process.cwd(), model.path) || model.path;
  const options = [...FORMATS.flatMap((format) => ['--format', format]), ...more];
  if (model.bytes > COMPARED_UNASKED) {
    say(`${shown} is large. To compare formats on it at the terminal:`);
    say(`  node dist/cli.js compare ${shown} ${options.join(' ')}\n`);
    return;
  }
  say(`› node dist/cli.js compare ${shown} ${options.join(' ')}\n`);
  await runNode([inRoot('dist', 'cli.js'), 'compare', model.path, ...options]);
  say('');
}

await runMain(async () => {
  const { help, once, screenshots, port, model: named } = readArguments();
  if (help) return say(USAGE);
  // The original stays as it is, whatever is exported beside it.
  const model = findModel(named ?? copySample());
  await installDependencies();
  await build();
  await compareAtTerminal(model, named === undefined ? SAMPLE_PERPLEXITY : []);
  if (once) return takeScreenshots(model, screenshots);
  if (hasDesktop()) {
    say('› Opening VS Code …');
    return openDesktop(model);
  }
  // The sample comes with Quantscope, but a window for it may open other folders, too.
  return serve(model, port, named === undefined ? 'restrict' : 'ask');
});
