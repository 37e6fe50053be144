import type { ParityRow } from './gpuParity.js';

/** The same cases in Node and in a page's worker. */
export interface ParityPair {
  readonly node: ParityRow;
  readonly page: ParityRow;
}

const HEAD = [
  ['rule', '---'],
  ['format', '---'],
  ['parameters by', '---'],
  ['cases', '--:'],
  ['differing weights: Node', '--:'],
  ['page', '--:'],
  ['differing counts: Node', '--:'],
  ['page', '--:'],
  ['worst error of sums: Node', '--:'],
  ['page', '--:'],
] as const;
/** Kernels that find a group's parameters. */
const KERNELS = { none: '`fit`', mse: '`search`, mse', clip: '`search`, clip' };

const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const error = (value: number) => (value === 0 ? '0' : value.toExponential(0));

/** docs/webgpu-parity.md. @param adapters that computed */
export function parityDocument(
  adapters: { readonly node: string; readonly page: string },
  pairs: readonly ParityPair[],
): string {
  const sorted = pairs.toSorted((a, b) => a.node.rule.localeCompare(b.node.rule));
  const rows = sorted.map(({ node, page }) =>
    line([
      `\`${node.rule}\``,
      `\`${node.format}\``,
      node.rule === 'simpleBlock' ? '`fitBlocks`' : KERNELS[node.search],
      node.cases,
      node.mismatchedBits,
      page.mismatchedBits,
      node.wrongCounts,
      page.wrongCounts,
      error(node.worstSumError),
      error(page.worstSumError),
    ]),
  );
  const total = (count: (pair: ParityPair) => number) =>
    pairs.reduce((sum, pair) => sum + count(pair), 0);
  return `# Kernels on a GPU against the reference

Written by \`npm run docs:parity\`; do not edit. All figures are SwiftShader's, which computes WebGPU on the CPU: they show that
the kernels mean the same as the reference, and nothing about the arithmetic of a graphics card. It was
${adapters.node} in Node (Dawn of the npm package \`webgpu\`) and ${adapters.page} in a worker of the Format Comparison page,
in Chromium under the page's content policy.

A case is a format with a grouping and a scale type on a chunk of weights that kernels go wrong on (ties, subnormal numbers,
equal weights, very large and small ones: \`test/support/weightScenes.ts\`). Each case compares every dequantized weight bit by bit,
the counts (underflow, clipped, …) exactly, and the sums of errors by their relative difference, of which the largest is shown.
Of ${total(({ node }) => node.cases)} cases in each host, weights differ in ${total(({ node }) => node.mismatchedBits)} places in Node and in
${total(({ page }) => page.mismatchedBits)} in the page. \`test/slow/gpuParity.test.ts\` tries more cases in Node alone.

${[line(HEAD.map(([name]) => name)), line(HEAD.map(([, align]) => align)), ...rows].join('\n')}
`;
}
