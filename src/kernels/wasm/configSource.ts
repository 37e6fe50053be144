import {
  CHOICES,
  CONFIG_FIELDS,
  CONSTANTS,
  type Choice,
  type ConfigField,
} from './configSchema.js';

function constants(doc: string, choice: Choice<string>): string {
  const lines = Object.values(choice).map((name, code) => `export const ${name}: i32 = ${code};`);
  return [`// ${doc}.`, ...lines, ''].join('\n');
}

function numbers([doc, type, values]: (typeof CONSTANTS)[number]): string {
  const lines = Object.entries(values).map(
    ([name, value]) => `export const ${name}: ${type} = ${value};`,
  );
  return [`// ${doc}.`, ...lines, ''].join('\n');
}

function word(name: string, { type, doc }: ConfigField): string {
  return (doc ? `  /** ${doc} */\n` : '') + `  ${name}: ${type};\n`;
}

/** The kernels' side of the configuration as AssemblyScript; `assembly/config.ts` is this text. */
export function configSource(): string {
  return `// Generated from configSchema.ts by every build (scripts/lib/kernelConfig.mjs). Do not edit.

${CHOICES.map(([doc, choice]) => constants(doc, choice)).join('\n')}
${CONSTANTS.map(numbers).join('\n')}
/** What the host tells a call, as words in memory. */
// @ts-ignore: decorator
@unmanaged
export class Config {
${Object.entries(CONFIG_FIELDS)
  .map(([name, field]) => word(name, field))
  .join('')}}
`;
}
