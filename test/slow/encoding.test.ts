// Every format’s codes, on ten times the chunks of test/property.
export {};
process.env.QUANTSCOPE_PROPERTY_RUNS = '300';
await import('../property/encoding.test.js');
