/** Names that package.json declares too. */
export const EDITOR_VIEW_TYPE = 'quantscope.safetensorsEditor';
/** The same editor for indexes and GGUF files, which other editors open unless asked otherwise. */
export const INDEX_VIEW_TYPE = 'quantscope.indexEditor';
export const COMPARISON_VIEW_TYPE = 'quantscope.comparison';

export const COMMAND = {
  openEditor: 'quantscope.openEditor',
  openSample: 'quantscope.openSample',
  quantizeLayer: 'quantscope.quantizeLayer',
  compareFormats: 'quantscope.compareFormats',
  compareWith: 'quantscope.compareWith',
  copyComparisonCsv: 'quantscope.copyComparisonCsv',
  measurePerplexity: 'quantscope.measurePerplexity',
  exportQuantized: 'quantscope.exportQuantized',
  checkIntegrity: 'quantscope.checkIntegrity',
  showComparison: 'quantscope.showComparison',
} as const;
