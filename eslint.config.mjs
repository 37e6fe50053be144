import js from '@eslint/js';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: ['dist/', 'out/', '.vscode-test/', 'node_modules/', 'src/kernels/wasm/assembly/'],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.{js,cjs,mjs}'],
    languageOptions: { globals: globals.node },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  {
    files: ['**/*.ts'],
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  {
    // What does not say that it needs Node can run in a browser.
    files: ['src/**/*.ts', 'webview/**/*.ts'],
    ignores: ['src/**/node/*.ts', 'src/{cli,vscode,workers}/**', 'src/extension.ts'],
    rules: {
      'no-restricted-globals': ['error', 'Buffer', 'process', 'global', '__dirname', 'require'],
    },
  },
  {
    files: ['webview/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@vscode/webview-ui-toolkit*'],
              message: 'Import controls from webview/components/controls.ts only.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['webview/components/controls.ts'],
    rules: { 'no-restricted-imports': 'off' },
  },
);
