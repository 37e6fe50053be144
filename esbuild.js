// Bundles everything that ships into dist/: node esbuild.js [--production] [--watch]
const fs = require('node:fs');
const { existsSync, readdirSync, statSync } = fs;
const { rm } = require('node:fs/promises');
const { dirname, join, relative } = require('node:path');
const esbuild = require('esbuild');

const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');

const DIST = join(__dirname, 'dist');
const KERNELS = join(__dirname, 'src', 'kernels', 'wasm', 'assembly');
const KERNEL_FLAGS = [
  ...['--runtime', 'stub', '-O3', '--noAssert'],
  // One memory that the host makes and all workers share; 65536 pages are 4 GiB.
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'simd', '--enable', 'threads'],
];
// The modules share the first 64 KiB of the memory for their constants: each has its own part.
const FORWARD = { entry: 'forward/index.ts', flags: ['--memoryBase', '32768'] };
const KERNEL_MODULES = {
  'kernels.wasm': { entry: 'index.ts', flags: [] },
  'forward.wasm': FORWARD,
  // The same source for engines that have fused multiply-add.
  'forward-fma.wasm': { ...FORWARD, flags: [...FORWARD.flags, '--enable', 'relaxed-simd'] },
};

let building = 0;

/** Messages that the problem matchers of tasks.json read: begin, end of all bundles, and errors. */
const problemMatcherPlugin = {
  name: 'problem-matcher',
  setup(build) {
    build.onStart(() => {
      if (watch && building++ === 0) console.log('[watch] build started');
    });
    build.onEnd(({ errors }) => {
      for (const { text, location } of errors) {
        console.error(`✘ [ERROR] ${text}`);
        if (location) console.error(`    ${location.file}:${location.line}:${location.column}:`);
      }
      if (watch && --building === 0) console.log('[watch] build finished');
    });
  },
};

const shared = {
  absWorkingDir: __dirname,
  bundle: true,
  minify: production,
  sourcemap: !production,
  sourcesContent: false,
  legalComments: 'external',
  logLevel: 'silent',
  metafile: true,
  plugins: [problemMatcherPlugin],
  loader: { '.wgsl': 'text' },
};

const node = { ...shared, platform: 'node', format: 'cjs', target: 'node20' };

const bundles = [
  {
    ...node,
    entryPoints: {
      extension: 'src/extension.ts',
      worker: 'src/workers/compute.ts',
      tokenizerWorker: 'src/workers/tokenizer.ts',
      perplexityWorker: 'src/workers/perplexity.ts',
      gpuProcess: 'src/workers/gpu.ts',
      cli: 'src/cli/main.ts',
    },
    outdir: 'dist',
    external: ['vscode'],
  },
  {
    ...shared,
    platform: 'browser',
    format: 'iife',
    target: ['chrome132'],
    entryPoints: {
      editor: 'webview/editor/main.ts',
      comparison: 'webview/comparison/main.ts',
      report: 'webview/report/main.ts',
      gpuWorker: 'src/workers/gpuPage.ts',
      plotly: 'webview/components/plotly.css',
    },
    outdir: 'dist/webview',
    loader: { ...shared.loader, '.ttf': 'file', '.svg': 'dataurl' },
    assetNames: '[name]',
    define: { 'process.env.NODE_ENV': production ? '"production"' : '"development"' },
  },
];

/** The newest change among the kernels' sources and what compiles them. */
function kernelInputsChanged() {
  const sources = readdirSync(KERNELS, { recursive: true }).map((name) => join(KERNELS, name));
  const compiler = [__filename, join(__dirname, 'package-lock.json')].filter(existsSync);
  return Math.max(...[...sources, ...compiler].map((path) => statSync(path).mtimeMs));
}

/** Compiles the AssemblyScript kernels, unless they are newer than everything they come from. */
async function compileKernels() {
  const { writeKernelConfig } = await import('./scripts/lib/kernelConfig.mjs');
  await writeKernelConfig();
  const changed = kernelInputsChanged();
  for (const [name, { entry, flags }] of Object.entries(KERNEL_MODULES)) {
    const output = join(DIST, name);
    if (existsSync(output) && statSync(output).mtimeMs > changed) continue;
    const { default: asc } = await import('assemblyscript/asc');
    const { error, stderr } = await asc.main([
      relative(__dirname, join(KERNELS, entry)),
      ...[...KERNEL_FLAGS, ...flags],
      ...['--baseDir', __dirname, '--outFile', relative(__dirname, output)],
    ]);
    const messages = stderr.toString().trim();
    if (messages) console.error(messages);
    if (error) throw new Error('The AssemblyScript kernels do not compile');
  }
}

function printSizes(results) {
  const sizes = results.flatMap(({ metafile }) =>
    Object.entries(metafile.outputs).map(([path, { bytes }]) => [path, bytes]),
  );
  for (const name of Object.keys(KERNEL_MODULES)) {
    sizes.push([`dist/${name}`, statSync(join(DIST, name)).size]);
  }
  for (const [path, bytes] of sizes) {
    if (/\.(js|css|wasm)$/.test(path)) {
      console.log(`${(bytes / 1024).toFixed(1).padStart(9)} KB  ${path}`);
    }
  }
}

/** Writes the licences of all packages that the bundles contain; fails where one is not declared. */
async function writeLicences(results) {
  const { findShipped, formatLicences } = await import('./scripts/lib/licences.mjs');
  const shipped = findShipped(results.map(({ metafile }) => metafile));
  fs.writeFileSync(join(DIST, 'THIRD_PARTY_LICENSES.txt'), formatLicences(shipped));
}

async function build() {
  // Maps and chunks of an earlier build must not ship; the kernels are kept, they take longest.
  if (production && existsSync(DIST)) {
    const old = readdirSync(DIST).filter((name) => !(name in KERNEL_MODULES));
    await Promise.all(old.map((name) => rm(join(DIST, name), { recursive: true })));
  }
  await compileKernels();
  const results = await Promise.all(bundles.map((options) => esbuild.build(options)));
  await writeLicences(results);
  printSizes(results);
}

/** Rebuilds on every change; compile errors are printed and waited out. */
async function watchAll() {
  const recompile = () =>
    compileKernels().catch((error) => console.error(`✘ [ERROR] ${error.message}`));
  await recompile();
  // With the folder above: the configuration that both sides share is generated from there.
  fs.watch(dirname(KERNELS), { recursive: true }, () => void recompile());
  const contexts = await Promise.all(bundles.map((options) => esbuild.context(options)));
  await Promise.all(contexts.map((context) => context.watch()));
}

(watch ? watchAll() : build()).catch((error) => {
  // esbuild's own failures have been printed by the plugin.
  if (!error.errors) console.error(error.message);
  process.exit(1);
});
