/**
 * Arguments for Node under which the kernels run as they do in the product (src/cli/main.ts, VS Code):
 * with relaxed SIMD, which Node 20 has behind a flag that later ones do not know.
 */
export const engineArguments =
  Number.parseInt(process.versions.node, 10) < 22 ? ['--experimental-wasm-relaxed-simd'] : [];
