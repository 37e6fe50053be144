// The layers of ARCHITECTURE.md, lowest first. A file may import from its own room and from rooms of a
// lower rank, types included: no arrow points up.
const rank = {
  rpc: 0,
  storage: 0,
  formats: 0,
  host: 1,
  safetensors: 1,
  gguf: 1,
  kernels: 2,
  checkpoint: 2,
  metrics: 3,
  compute: 3,
  layouts: 3,
  methods: 4,
  model: 5,
  reports: 6,
  jobs: 7,
  cli: 8,
  vscode: 8,
  workers: 8,
};
const rooms = Object.keys(rank);

const layering = rooms.map((room) => {
  const forbidden = rooms.filter((other) => other !== room && rank[other] >= rank[room]);
  return {
    name: `layers-${room}`,
    severity: 'error',
    comment: `src/${room} imports downwards only`,
    from: { path: `^src/${room}/` },
    to: { path: `^src/(${forbidden.join('|')})/` },
  };
});

/** Rooms that are programs of Node: the terminal, the extension host, threads; not a page's worker. */
const NODE_ROOMS = '^src/(cli/|vscode/|workers/(?!gpuPage[.])|extension.ts)';
/** Files that say that they need Node, and so cannot run in a browser. */
const NODE_FILES = '/node/[^/]+[.]ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layering,
    {
      name: 'node-modules-of-node-only-in-node-folders',
      severity: 'error',
      comment: 'What needs Node lies in a folder "node", so that the rest can run in a browser',
      from: { path: '^(src|webview)/', pathNot: [NODE_ROOMS, NODE_FILES] },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'nothing-else-imports-node-folders',
      severity: 'error',
      comment: 'Whoever imports a file that needs Node needs Node, too',
      from: { path: '^(src|webview)/', pathNot: [NODE_ROOMS, NODE_FILES] },
      to: { path: NODE_FILES },
    },
    {
      name: 'only-vscode-room-knows-vscode',
      severity: 'error',
      from: { path: '^(src|webview)/', pathNot: '^src/(vscode/|extension.ts)' },
      to: { path: '^vscode$' },
    },
    {
      name: 'pages-see-contracts-only',
      severity: 'error',
      comment: 'Pages see reports, the RPC, formats and measures',
      from: { path: '^webview/' },
      to: { path: '^src/(?!(reports|rpc|formats|metrics)/)' },
    },
    {
      name: 'no-product-code-imports-tests-or-scripts',
      severity: 'error',
      from: { path: '^(src|webview)/' },
      to: { path: '^(test|scripts)/' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^vscode$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|out|src/kernels/wasm/assembly)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
