/** Shaders are bundled as text. */
declare module '*.wgsl' {
  const code: string;
  export default code;
}
