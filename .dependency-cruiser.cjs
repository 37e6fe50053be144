// The layers of ARCHITECTURE.md, lowest first. A file may import from its own room and from rooms
// of a lower rank; types may be imported from anywhere below as well, and `protocol` (contracts
// between processes) may name the plain-data types of every room.
const rank = {
  safetensors: 0,
  formats: 0,
  kernels: 1,
  metrics: 2,
  compute: 2,
  model: 3,
  export: 3,
  jobs: 4,
  cli: 5,
  vscode: 5,
};
const rooms = Object.keys(rank);

const layering = rooms.map((room) => {
  const forbidden = rooms.filter(
    (other) => other !== room && (rank[other] >= rank[room] || rank[room] === 0),
  );
  return {
    name: `layers-${room}`,
    severity: 'error',
    comment: `src/${room} imports downwards only`,
    from: { path: `^src/${room}/` },
    to: { path: `^src/(${[...forbidden, ...(rank[room] === 0 ? ['protocol'] : [])].join('|')})/` },
  };
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layering,
    {
      name: 'protocol-imports-types-only',
      severity: 'error',
      from: { path: '^src/protocol/' },
      to: { path: '^src/(?!protocol/)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'only-vscode-room-knows-vscode',
      severity: 'error',
      from: { path: '^(src|webview)/', pathNot: '^src/(vscode/|extension\\.ts)' },
      to: { path: '^vscode$' },
    },
    {
      name: 'webview-sees-protocol-and-formats-only',
      severity: 'error',
      from: { path: '^webview/' },
      to: { path: '^src/(?!protocol/|formats/)' },
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
